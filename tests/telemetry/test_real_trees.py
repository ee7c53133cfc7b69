"""The tests' tree and the stressors', of real processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from open_descriptors import open_descriptors

from pytest_twin import stressors
from pytest_twin._system.procfs import MIB
from pytest_twin.telemetry import process_tree_linux, process_tree_psutil
from pytest_twin.telemetry.counters import SELDOM_S
from pytest_twin.telemetry.probes import ProbeContext
from pytest_twin.telemetry.probes.trees import COLUMNS, TreesProbe
from pytest_twin.telemetry.sampler_process import raise_open_file_limit

linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc")
NAMES = [column.name for column in COLUMNS]
BURN = "import time\nwhile time.process_time() < {}: pass"
SERVE = """
import ctypes, os, resource, subprocess, sys, threading, time
def spent():
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
def sleeper():
    pid = os.fork()
    if not pid:
        try:  # it ends with us, and never goes on with what we do: that would be forks of forks
            ctypes.CDLL(None).prctl(1, 9)
            time.sleep(600)
        finally:
            os._exit(0)
    return pid
print("up", flush=True)
for line in sys.stdin:
    exec(compile(line.encode().decode("unicode_escape"), "order", "exec"))
    print("done", flush=True)
"""
OWNER = """
import json, subprocess, sys
with subprocess.Popen([sys.executable, "-I", "-S", {program!r}], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as it:
    it.stdin.write(json.dumps({request!r}).encode() + b"\\n")
    it.stdin.flush()
    it.stdout.readline(), it.stdout.readline()
    print("up", flush=True)
    sys.stdin.read()
"""


class Root:
    """The root of a tree; does as it is told."""

    def __init__(self, program: str = SERVE) -> None:
        command = [sys.executable, "-c", program]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "up\n"
        self.pid = self.process.pid

    def do(self, program: str) -> str:
        """Have it run this; comes back with what it printed."""
        self.process.stdin.write(program.encode("unicode_escape").decode() + "\n")
        self.process.stdin.flush()
        said = ""
        while (line := self.process.stdout.readline()) != "done\n":
            assert line, f"it ended after it had said {said!r}"
            said += line
        return said


@pytest.fixture
def root():
    """Starts the root of a tree, and ends it after the test."""
    started = []

    def start(*program: str) -> Root:
        started.append(Root(*program))
        return started[-1]

    yield start
    for each in started:
        for process in (*psutil.Process(each.pid).children(recursive=True), each.process):
            process.kill()
        each.process.communicate(timeout=60)


def seen(probe: TreesProbe, later: float = 0.0) -> dict[str, float | None]:
    """A row of now, by the names of its columns, and its time; taken for a row that comes later."""
    at = time.monotonic() + later
    return dict(zip(NAMES, probe.read(at), strict=True), at=at)


def cpu_s_of_tests(before: dict, after: dict) -> float:
    return after["tests_cpu_percent"] / 100 * (os.cpu_count() or 1) * (after["at"] - before["at"])


READERS = [pytest.param(process_tree_linux.LinuxTree, marks=linux, id="linux"),
           pytest.param(process_tree_linux.LinuxTreeByParent, marks=linux, id="linux-by-parent"),
           pytest.param(process_tree_psutil.PortableTree, id="portable")]  # fmt: skip
each_reader = pytest.mark.parametrize("reader", READERS)
accounts = pytest.mark.parametrize("reader", READERS[::2])
FORK = """
for _ in range({count}):
    if not os.fork():
        while time.process_time() < {seconds}: pass
        os._exit(0)
    os.wait()
"""
TICKS_S = 0.06  # what the kernel counts of a process, and of its children, in user and system mode, is rounded down


def account(parent: Root, reader, program: str) -> tuple[dict, dict, float]:
    """Have the root of a tree run this between two rows: the rows, and the CPU seconds that it took at least.

    What the rows account for is no less than the kernel counts between them, and no more than it counts around them.
    """
    probe = TreesProbe(ProbeContext(parent.pid), reader())
    most = float(parent.do("print(spent())"))
    before = seen(probe)
    least = float(parent.do("print(spent())"))
    parent.do(program)
    least = float(parent.do("print(spent())")) - least
    after = seen(probe)
    most = float(parent.do("print(spent())")) - most
    if sys.platform != "linux" and not after["tests_cpu_percent"]:
        pytest.skip("this system does not tell of children that ended")
    assert least - TICKS_S <= cpu_s_of_tests(before, after) <= most + TICKS_S
    return before, after, least


@accounts
def test_a_child_that_ends_between_two_rows_keeps_its_cpu_in_the_account(root, reader):
    program = f"subprocess.run([sys.executable, '-S', '-c', {BURN.format(0.5)!r}])"
    before, after, used = account(root(), reader, program)
    assert (before["tests_process_count"], after["tests_process_count"]) == (1, 1)
    assert used > 0.4


@linux
@accounts
def test_many_children_that_live_a_moment_keep_their_cpu_in_the_account(root, reader):
    _, _, used = account(root(), reader, FORK.format(count=50, seconds=0.012))
    assert used > 0.4


@pytest.fixture
def loaded_root(root):
    """The root of a tree with a supervisor and two workers of a load."""
    program = str(Path(stressors.__file__).with_name("__main__.py"))
    load = {"module": "pytest_twin.stressors.kinds.cpu", "unit": "count", "profile": [[0, 2]]}
    return root(OWNER.format(program=program, request={"op": "apply", "id": "load", **load}))


@each_reader
def test_stressors_are_counted_apart_from_their_owner(loaded_root, reader, eventually):
    probe = TreesProbe(ProbeContext(loaded_root.pid), reader())
    row = seen(probe)
    assert (row["tests_process_count"], row["stress_process_count"]) == (1, 3)
    assert row["stress_resident_MB"] > 1

    def burns() -> bool:
        time.sleep(0.3)
        row = seen(probe)
        return row["stress_cpu_percent"] > 5 * row["tests_cpu_percent"]

    eventually(burns)  # as soon as others let it


THREAD = """
def work():
    global child
    command = [sys.executable, "-S", "-c", "print(flush=True); input()"]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    child.stdout.readline()
    started.set()
    end.wait()
started, end = threading.Event(), threading.Event()
thread = threading.Thread(target=work)
thread.start()
started.wait()
"""


@linux
@each_reader
def test_the_child_of_a_thread_is_found_and_stays_when_the_thread_has_ended(root, reader):
    parent = root()
    probe = TreesProbe(ProbeContext(parent.pid), reader())
    rows = [seen(probe)]
    for order in (THREAD, "end.set(); thread.join()", "child.communicate()"):
        parent.do(order)
        rows.append(seen(probe))
    assert [row["tests_process_count"] for row in rows] == [1, 2, 2, 1]


@each_reader
def test_a_tree_is_what_psutil_says_it_is(root, reader):
    parent = root()
    parent.do("files = [open(sys.executable, 'rb') for _ in range(100)]; block = bytearray(50 << 20)")
    parent.do(THREAD)
    row = seen(TreesProbe(ProbeContext(parent.pid), reader()))
    process = psutil.Process(parent.pid)
    processes = [process, *process.children(recursive=True)]
    assert row["tests_process_count"] == len(processes)
    assert row["tests_resident_MB"] == pytest.approx(sum(each.memory_info().rss for each in processes) / MIB, rel=0.1)
    assert row["tests_thread_count"] == sum(each.num_threads() for each in processes)
    if sys.platform != "win32":
        assert row["tests_open_files"] == sum(each.num_fds() for each in processes) > 100


@linux
@accounts
def test_what_a_tree_writes_is_what_psutil_says_ended_children_included(root, reader, tmp_path):
    parent = root()
    probe = TreesProbe(ProbeContext(parent.pid), reader())
    seen(probe)
    before = psutil.Process(parent.pid).io_counters().write_bytes
    write = "with open({path!r}, 'wb') as file: file.write(bytes({size}))"
    ours = write.format(path=str(tmp_path / "ours"), size=2 * MIB)
    theirs = write.format(path=str(tmp_path / "theirs"), size=3 * MIB)
    parent.do(f"{ours}\nsubprocess.run([sys.executable, '-S', '-c', {theirs!r}])")
    written = psutil.Process(parent.pid).io_counters().write_bytes - before
    assert seen(probe, SELDOM_S)["tests_write_MB"] == pytest.approx(written / MIB, abs=0.1)


@pytest.fixture
def many_files():
    """Lets this process have as many open files as the sampler has."""
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    raise_open_file_limit()
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@linux
def test_a_tree_of_200_processes_that_has_gone_leaves_no_descriptor_open(root, many_files):
    parent = root()
    probe = TreesProbe(ProbeContext(parent.pid), process_tree_linux.LinuxTree())
    seen(probe)
    before = open_descriptors()
    parent.do("pids = [sleeper() for _ in range(200)]")
    assert seen(probe)["tests_process_count"] == 201
    assert len(open_descriptors() - before) > 200
    parent.do("for pid in pids: os.kill(pid, 9), os.waitpid(pid, 0)")
    later = 1.0  # so many processes are not read for each row
    assert [seen(probe, later)["tests_process_count"] for _ in range(2)] == [1, 1]
    assert not open_descriptors() - before


@linux
def test_rows_beside_a_load_open_nothing_again(loaded_root):
    probe = TreesProbe(ProbeContext(loaded_root.pid), process_tree_linux.LinuxTree())
    for _ in range(3):
        row = seen(probe)
    assert row["stress_process_count"] >= 2
    before = open_descriptors()
    for _ in range(20):
        seen(probe)
    assert len(open_descriptors() - before) < 20  # something of each row, were it left open


AGAIN = """
for _ in range(50):
    with open("/proc/sys/kernel/ns_last_pid", "w") as file: file.write(str({pid} - 1))
    again = sleeper()
    if again == {pid}: break
    os.kill(again, 9), os.waitpid(again, 0)
print(again)
"""


@linux
def test_a_real_number_that_is_given_out_again_is_another_process(root):
    if os.geteuid():
        pytest.skip("only root can choose the number of a process")
    parent = root()
    pid = int(parent.do("first = sleeper(); print(first)"))
    source = process_tree_linux.LinuxTree()
    assert source.read(pid)
    parent.do("os.kill(first, 9), os.waitpid(first, 0)")
    source.refresh()
    if int(parent.do(AGAIN.format(pid=pid))) != pid:
        pytest.skip("somebody else was given the number")
    started = psutil.Process(pid).create_time()
    kept = source._known[pid]
    assert not kept.read(detailed=True)
    assert source.read(pid) is not kept
    assert started > psutil.Process(parent.pid).create_time()
    source.close()
