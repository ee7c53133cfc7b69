"""Counters of this process and of its children."""

from __future__ import annotations

import errno
import math
import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from types import SimpleNamespace

import psutil
import pytest
from file_systems import is_in_memory
from hypothesis import given, settings
from hypothesis import strategies as st
from open_descriptors import open_descriptors

from pytest_twin._system import stdlib
from pytest_twin._system.procfs import ReopeningProcFile
from pytest_twin.model.attempt_row import ChildCounters
from pytest_twin.telemetry import process_counters as meters
from pytest_twin.telemetry.process_counters import ProcessCounters, read_self, seconds_since_boot

linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc/self")
posix = pytest.mark.skipif(sys.platform == "win32", reason="getrusage(2)")
MIB = 1 << 20
TICKS_S = 0.04  # what the kernel counts of a process, and of its children, in user and system mode, is rounded down


@pytest.fixture
def meter():
    meter = ProcessCounters()
    yield meter
    meter.close()


@pytest.fixture
def used_since(meter):
    """What was used since these counters were read."""
    return lambda before: meter.usage([[0.0, before, 1.0, read_self()]])


def burn(seconds: float) -> None:
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


def test_cpu_seconds_of_this_process_are_counted(meter, used_since):
    most = time.process_time()
    before = read_self()
    least = time.process_time()
    burn(0.1)
    least = time.process_time() - least
    spent = used_since(before)
    most = time.process_time() - most
    assert least - TICKS_S <= spent.user_s + spent.system_s <= most + TICKS_S


BURN = "import time\nwhile time.process_time() < {}: pass\n"


def reaped_s() -> float:
    """CPU seconds of the children that this process has waited for."""
    times = os.times()
    return times.children_user + times.children_system


def cpu_s_of(process: subprocess.Popen[bytes]) -> float:
    """CPU seconds of a living process, and of the children that it has waited for."""
    return sum(psutil.Process(process.pid).cpu_times()[:4])


@posix
def test_cpu_seconds_of_children_that_were_waited_for_are_counted_apart(meter, used_since):
    own, reaped = time.process_time(), reaped_s()
    before, children = read_self(), meter.read_children()
    subprocess.run([sys.executable, "-S", "-c", BURN.format(0.2)], check=True)
    assert reaped_s() - reaped >= 0.15
    assert meter.read_children().cpu_s - children.cpu_s == pytest.approx(reaped_s() - reaped, abs=TICKS_S)
    spent = used_since(before)
    assert spent.user_s + spent.system_s <= time.process_time() - own + TICKS_S


@pytest.fixture
def burnt():
    """Starts a child that has burnt CPU and lives on until the test ends."""
    started = []

    def start(program: str) -> subprocess.Popen[bytes]:
        program += "print(flush=True)\nimport sys\nsys.stdin.read()"
        command = [sys.executable, "-S", "-c", program]
        started.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        started[-1].stdout.readline()
        return started[-1]

    yield start
    for process in started:
        process.communicate(timeout=60)


GRANDCHILD = f"import subprocess, sys; subprocess.run([sys.executable, '-S', '-c', {BURN.format(0.2)!r}])\n"


@linux
@pytest.mark.parametrize("program", [BURN.format(0.2), GRANDCHILD], ids=["child", "grandchild"])
def test_cpu_seconds_of_children_that_live_are_counted(meter, burnt, program):
    before = meter.read_children()
    child = burnt(program)
    least = cpu_s_of(child)
    counted = meter.read_children().cpu_s - before.cpu_s
    assert 0.15 <= least - TICKS_S <= counted <= cpu_s_of(child) + TICKS_S


@linux
def test_a_child_that_ends_is_not_counted_twice(meter, burnt):
    before, reaped = meter.read_children().cpu_s, reaped_s()
    child = burnt(BURN.format(0.2))
    living = meter.read_children().cpu_s - before
    child.communicate()
    ended = meter.read_children().cpu_s - before
    assert living - TICKS_S <= ended == pytest.approx(reaped_s() - reaped, abs=TICKS_S)


@linux
def test_children_of_ours_are_left_out(burnt):
    own = [None]
    meter = ProcessCounters(lambda: own)
    before = meter.read_children()
    own.append(burnt(BURN.format(0.2)).pid)
    assert meter.read_children().cpu_s - before.cpu_s < 0.1
    meter.close()


@linux
def test_the_files_of_many_children_do_not_stay_open_in_the_process_of_the_tests(meter):
    before = open_descriptors()
    children = [subprocess.Popen(["sleep", "60"]) for _ in range(100)]
    try:
        assert meter.read_children().cpu_s is not None
        assert len(open_descriptors() - before) < 60
    finally:
        for child in children:
            child.kill()
            child.wait()


@linux
def test_children_are_unknown_to_a_process_that_can_open_no_more_files(burnt):
    import resource

    meter = ProcessCounters()
    burnt(BURN.format(0.1))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, os.listdir("/proc/self/fd"))), hard))
    taken = []
    try:
        with suppress(OSError):
            while True:
                taken.append(os.dup(0))
        assert meter.read_children().cpu_s is None
        assert meter.read_child_starts().living is None
    finally:
        for fd in taken:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        meter.close()


@linux
def test_the_children_of_a_thread_are_counted(meter, burnt):
    """Not waited for by the thread: on Linux a child belongs to the thread that started it."""
    before, children, seen = meter.read_children(), [], []

    def start() -> None:
        children.append(burnt(BURN.format(0.2)))
        least = cpu_s_of(children[0])
        seen.append((least, meter.read_children()))

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    (least, first), last = *seen, meter.read_children()
    most = cpu_s_of(children[0])
    for after in (first, last):
        assert 0.15 <= least - TICKS_S <= after.cpu_s - before.cpu_s <= most + TICKS_S


@linux
@pytest.mark.parametrize(("newest", "looks"), [([b"7", b"7", b"8", b"8"], 2), ([b""] * 3, 3)])
def test_children_are_looked_for_when_a_process_may_have_begun(meter, monkeypatch, newest, looks):
    looked = []
    monkeypatch.setattr(meter, "_newest", SimpleNamespace(open_start=iter(newest).__next__, close=lambda: None))
    monkeypatch.setattr(meter, "_living_children", lambda: looked.append(True) or iter(()))
    for _ in newest:
        meter.read_children()
    assert len(looked) == looks


@posix
def test_the_peak_of_a_child_that_ended_is_told(meter):
    subprocess.run([sys.executable, "-S", "-c", f"b'x' * {200 * MIB}"], check=True)
    assert meter.read_children().peak > 200 * MIB


@linux
def test_a_closed_meter_leaves_no_descriptor(burnt):
    burnt("")
    before = open_descriptors()
    meter = ProcessCounters()
    meter.read_children()
    meter.reset_peak()
    assert open_descriptors() - before
    meter.close()
    meter.close()
    assert not open_descriptors() - before


@pytest.fixture
def disk(tmp_path):
    """A folder on a disk."""
    if is_in_memory(tmp_path):
        pytest.skip("the folder for temporary files is in memory")
    return tmp_path


@linux
def test_what_goes_to_the_disk_is_counted(used_since, disk):
    before, theirs = read_self(), psutil.Process().io_counters().write_bytes
    with (disk / "file").open("wb") as file:
        file.write(bytes(4 * MIB))
    grown = used_since(before).written
    assert grown == pytest.approx(psutil.Process().io_counters().write_bytes - theirs, abs=MIB)
    assert grown >= 3 * MIB


@posix
def test_switches_are_counted(meter, used_since):
    before = read_self()
    for _ in range(10):
        time.sleep(0.001)
    assert used_since(before).switches >= 10


READINGS = st.lists(st.integers(0, 10**9), min_size=16, max_size=16)  # as of getrusage(2)


@given(READINGS, READINGS, READINGS)
@settings(max_examples=60, deadline=None)
def test_what_phases_used_that_follow_one_another_is_as_of_one(first, second, third):
    meter = ProcessCounters()
    pieces = meter.usage([[0.0, first, 1.0, second], [1.0, second, 2.0, third]])
    whole = meter.usage([[0.0, first, 2.0, third]])
    meter.close()
    assert pieces == whole == ((third[0] - first[0]), third[1] - first[1], *whole[2:])


@pytest.mark.parametrize("at", range(7, 16))
def test_each_counter_is_read_though_nothing_else_has_changed(meter, at):
    late = [0] * 16
    late[at] = 3
    usage = meter.usage([[0.0, [0] * 16, 1.0, late]])
    expected = {7: "faults", 9: "read", 10: "written", 14: "switches", 15: "switches"}
    changed = [name for name, value in usage._asdict().items() if value]
    assert changed == ([expected[at]] if at in expected else [])


def test_without_a_phase_nothing_was_used(meter):
    assert not any(meter.usage([]))


def test_on_windows_what_is_not_told_is_empty(meter, monkeypatch):
    monkeypatch.setattr(meters.sys, "platform", "win32")
    assert meter.usage([[0.0, (1.0, 2.0), 1.0, (1.5, 4.0)]]) == (0.5, 2.0, None, None, None, None)
    assert meter.read_children() == ChildCounters(None, None, None, None)


@linux
def test_the_peak_of_a_large_allocation_is_seen_though_it_is_gone(meter):
    meter.reset_peak()
    before = meter.peak_bytes()
    large = bytearray(100 * MIB)
    large[::4096] = b"\1" * len(range(0, len(large), 4096))
    del large
    assert meter.peak_bytes() - before == pytest.approx(100 * MIB, rel=0.2)  # the kernel may take pages of files away


@linux
def test_what_is_resident_now_is_what_the_kernel_counts_page_by_page(meter, eventually):
    large = bytearray(100 * MIB)
    large[::4096] = b"\1" * len(range(0, len(large), 4096))
    eventually(lambda: meter.resident_bytes() == pytest.approx(psutil.Process().memory_full_info().rss, abs=2 * MIB))
    before = meter.resident_bytes()
    del large
    assert before - meter.resident_bytes() == pytest.approx(100 * MIB, rel=0.2)


def test_what_is_resident_is_not_known_where_there_is_no_proc(meter, monkeypatch):
    monkeypatch.setattr(meter, "_statm", ReopeningProcFile("/nowhere/statm", lambda: None))
    assert meter.resident_bytes() is None


@linux
def test_a_peak_that_is_forgotten_does_not_count_for_the_next_test(meter):
    large = bytearray(100 * MIB)
    large[::4096] = b"\1" * len(range(0, len(large), 4096))
    del large
    high = meter.peak_bytes()
    meter.reset_peak()
    assert high - meter.peak_bytes() > 80 * MIB
    assert meter.peak_bytes() == pytest.approx(psutil.Process().memory_info().rss, rel=0.2)


@linux
@pytest.mark.parametrize("fails", ["open", "write"])
def test_where_the_mark_cannot_be_reset_that_of_all_tests_before_is_not_taken_for_one_of_this(monkeypatch, fails):
    real = getattr(os, fails)

    def refuse(at, *rest):
        if at == "/proc/self/clear_refs" or rest == (b"5",):
            raise PermissionError(errno.EACCES, "no")
        return real(at, *rest)

    monkeypatch.setattr(stdlib.os, fails, refuse)
    meter = ProcessCounters()
    meter.reset_peak()
    assert meter.peak_bytes() is None
    meter.close()


def test_where_there_is_no_such_file_there_is_no_figure(meter):
    meter._status.close()
    assert meter.peak_bytes() is None


@posix
def test_where_the_kernel_does_not_tell_of_disks_nothing_is_taken_for_none(monkeypatch):
    monkeypatch.setattr(meters, "PROC", "/nowhere")
    meter = ProcessCounters()
    assert meter.usage([[0.0, read_self(), 1.0, read_self()]])[-2:] == meter.read_children()[-2:] == (None, None)
    meter.close()


@linux
def test_what_a_child_wrote_is_counted_when_it_has_ended(meter, disk):
    before = meter.read_children().written
    code = f"open({str(disk / 'file')!r}, 'wb').write(bytes({4 * MIB}))"
    subprocess.run([sys.executable, "-S", "-c", code], check=True)
    assert 3 * MIB <= meter.read_children().written - before <= 6 * MIB


PEAKS = """
import sys
from pytest_twin.telemetry.process_counters import ProcessCounters, seconds_since_boot
meter = ProcessCounters()
for mib in (50, 20, 90):
    meter.reset_peak()
    before = meter.peak_bytes()
    b"1" * (mib << 20)
    print((meter.peak_bytes() - before) >> 20)
"""
LARGE = """
import os, sys
held = b"1" * (200 << 20)
os.execv(sys.executable, [sys.executable, "-c", sys.argv[1]])
"""


@linux
def test_the_peak_of_a_program_that_was_in_this_process_before_is_not_its_own():
    said = subprocess.run([sys.executable, "-c", LARGE, PEAKS], capture_output=True, text=True, check=True).stdout
    assert list(map(int, said.split())) == pytest.approx([50, 20, 90], abs=9)


LEAVES_ONE = """
import subprocess
silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
print(subprocess.Popen(["sleep", "60"], **silent).pid)
"""


@linux
def test_a_process_that_its_parent_left_behind_is_found_while_it_lives(meter, eventually_gone):
    began = seconds_since_boot(), meter.reaped_by_ancestors_s()
    assert meter.orphans_cpu_s(*began) < math.inf
    left = int(subprocess.run([sys.executable, "-S", "-c", LEAVES_ONE], capture_output=True, check=True).stdout)
    process = psutil.Process(left)
    try:
        if process.ppid() == os.getpid():
            pytest.skip("this process takes in orphans")
        assert meter.orphans_cpu_s(*began) == math.inf
        assert (
            meter.orphans_cpu_s(seconds_since_boot() + 1, 0) < math.inf
        )  # one that was there before is not of this time
    finally:
        process.kill()
    eventually_gone([process])


@linux
def test_children_and_theirs_are_no_orphans(meter, burnt):
    began = seconds_since_boot(), meter.reaped_by_ancestors_s()
    burnt(GRANDCHILD)
    assert meter.orphans_cpu_s(*began) < math.inf


def waited_ns() -> int:
    """How long this thread has waited for a CPU."""
    with open("/proc/thread-self/schedstat") as file:
        return int(file.read().split()[1])


@linux
def test_the_wait_for_a_cpu_is_that_of_the_thread_that_runs_the_tests():
    found = []

    def run_tests() -> None:
        burn(0.1)
        meter = ProcessCounters()
        found.append((waited_ns(), meter.begin_test(0.0)[2], waited_ns()))
        found.append((waited_ns(), meter.end_test()[2], waited_ns()))
        meter.close()

    thread = threading.Thread(target=run_tests)
    thread.start()
    thread.join()
    assert len(found) == 2
    assert all(least <= ours <= most for least, ours, most in found)


@pytest.mark.parametrize(
    ("schedstat", "waited"), [("93 2000 1\n", 2000), ("0 0 1\n", 0), ("0 0 0\n", None), (None, None)],
    ids=["waited", "just begun", "not counted", "no such file"],
)  # fmt: skip
def test_a_kernel_that_counts_no_waits_tells_no_zero(tmp_path, monkeypatch, schedstat, waited):
    def opened(path, lost):
        return ReopeningProcFile(str(tmp_path / "schedstat") if path.endswith("schedstat") else path, lost)

    if schedstat is not None:
        (tmp_path / "schedstat").write_text(schedstat)
    monkeypatch.setattr(meters, "ReopeningProcFile", opened)
    meter = ProcessCounters()
    assert (meter.begin_test(0.0)[2], meter.end_test()[2]) == (waited, waited)
    meter.close()
