"""The tests' tree of processes and the stressors'."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import stressors
from pytest_twin.probes import Context, trees
from pytest_twin.probes.kernel import MIB, PAGE, TICKS
from pytest_twin.probes.trees import Member, Trees
from stressors.name import PROCESS_NAME

linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc")
ROOT, CHILD, SUPERVISOR, STRESSOR = 900_001, 900_002, 900_003, 900_004
FAMILY = {ROOT: [CHILD, SUPERVISOR], SUPERVISOR: [STRESSOR]}


class Family:
    """Processes made up: CPU seconds by process id, 2 MiB each."""

    def __init__(self, **ignored) -> None:
        self.cpu_s: dict[int, float] = {}

    def refresh(self) -> None:
        """A new row begins."""

    def member(self, pid: int) -> tuple[Member, str] | None:
        """A process, if there is one."""
        name = PROCESS_NAME if pid in {SUPERVISOR, STRESSOR} else "python"
        return (Member(pid, self.cpu_s[pid], 2 * MIB), name) if pid in self.cpu_s else None

    def children(self, pid: int) -> list[int]:
        """Its children that there are."""
        return [child for child in FAMILY.get(pid, []) if child in self.cpu_s]


@pytest.fixture
def rows(monkeypatch):
    """Rows a second apart on a host with four CPUs, from the CPU seconds of each process at that time."""
    monkeypatch.setattr(os, "cpu_count", lambda: 4)

    def rows(*moments: dict[int, float], has_tests: bool = True) -> list[tuple]:
        family = Family()
        probe = Trees(Context(ROOT, has_tests), family)
        found = []
        for at, moment in enumerate(moments):
            family.cpu_s = moment
            found.append(probe.read(float(at)))
        return found

    return rows


def test_stressors_are_counted_apart_from_tests(rows):
    first, second = rows(
        {ROOT: 1.0, CHILD: 0.0, SUPERVISOR: 0.0, STRESSOR: 0.0}, {ROOT: 1.5, CHILD: 0.5, SUPERVISOR: 0.0, STRESSOR: 2.0}
    )
    assert first == (None, 4.0, 2, None, 4.0, 2)
    assert second == (25.0, 4.0, 2, 50.0, 4.0, 2)


def test_a_child_that_ended_keeps_its_cpu_in_the_account(rows):
    _, second = rows({ROOT: 1.0, CHILD: 3.0}, {ROOT: 5.0})  # which its parent was told of: 3 s then, 1 s since
    assert second == (25.0, 2.0, 1, 0.0, 0.0, 0)


def test_a_child_that_came_and_went_between_two_rows_is_in_the_account(rows):
    assert rows({ROOT: 1.0}, {ROOT: 2.0})[1][0] == 25.0


def test_a_supervisor_that_ended_is_not_charged_to_the_tests(rows):
    _, second = rows({ROOT: 1.0, SUPERVISOR: 0.5, STRESSOR: 3.0}, {ROOT: 1.0 + 3.5})
    assert second == (0.0, 2.0, 1, 0.0, 0.0, 0)


def test_ticks_that_are_lost_when_a_child_is_reaped_are_no_step_back(rows):
    shares = [row[0] for row in rows({ROOT: 1.0, CHILD: 1.009}, {ROOT: 2.0}, {ROOT: 3.009})]
    assert shares == [None, 0.0, 25.0]


def test_a_process_that_leaves_the_tree_unaccounted_does_not_hide_what_the_others_burn(rows):
    """A daemon, or the child of a process that was killed: no parent of the tree is told of its CPU."""
    shares = [row[0] for row in rows({ROOT: 1.0, CHILD: 60.0}, {ROOT: 2.0}, {ROOT: 3.0}, {ROOT: 4.0})]
    assert shares[2:] == [25.0, 25.0]


def test_a_killed_supervisor_does_not_hide_what_the_tests_burn(rows):
    tree = {SUPERVISOR: 0.1, STRESSOR: 60.0}
    shares = [row[0] for row in rows({ROOT: 1.0, **tree}, {ROOT: 2.1}, {ROOT: 3.1}, {ROOT: 4.1})]
    assert shares[2:] == [25.0, 25.0]


def test_a_mere_recording_has_no_tests(rows):
    both = rows({ROOT: 1.0, SUPERVISOR: 0.0}, {ROOT: 2.0, SUPERVISOR: 1.0}, has_tests=False)
    assert both[1] == (None, None, None, 25.0, 2.0, 1)


def test_a_root_that_is_gone_leaves_empty_trees(rows):
    assert rows({}, {})[1] == (0.0, 0.0, 0, 0.0, 0.0, 0)


def test_the_process_that_samples_is_not_in_the_account(rows, monkeypatch):
    monkeypatch.setattr(os, "getpid", lambda: CHILD)
    assert rows({ROOT: 1.0, CHILD: 9.0})[0][2] == 1


# The kernel's files


def stat(name: str, cpu_s: tuple[float, float, float, float], pages: int) -> str:
    ticks = " ".join(str(round(seconds * TICKS)) for seconds in cpu_s)
    return f"7 ({name}) S 1 7 7 0 -1 4194560 100 0 0 0 {ticks} 20 0 1 0 12345 1000000 {pages} 184467 1 1\n"


@linux
@pytest.mark.parametrize("name", ["python", "a) R 1 (b", "two words", ""])
def test_a_process_is_read_exactly_whatever_its_name(write, kernel, name):
    pid = 5_000_000  # more than the kernel gives out, so that there is no clock of it
    write(f"{pid}/stat", stat(name, (1.0, 0.5, 0.25, 0.25), 10))
    assert trees.Linux(kernel).member(pid) == (Member(pid, 2.0, 10 * PAGE), name)


@linux
@pytest.mark.parametrize("text", ["", "7 (python) S 1 2 3", "no such thing"])
def test_a_process_that_is_going_is_gone(write, kernel, text):
    write("7/stat", text)
    assert trees.Linux(kernel).member(7) is None


@linux
def test_the_children_of_all_threads_are_found(write, kernel):
    write("7/task/7/children", "8 9 ")
    write("7/task/70/children", "")
    write("7/task/71/children", "10 ")
    assert sorted(trees.Linux(kernel).children(7)) == [8, 9, 10]
    assert trees.Linux(kernel).children(8) == []


# Real processes

BURN = "import time\nwhile time.process_time() < {}: pass"
PARENT = """
import subprocess, sys
print("up", flush=True)
for line in sys.stdin:
    subprocess.run([sys.executable, "-S", "-c", {burn!r}], check=True)
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


@pytest.fixture
def root():
    """Starts the root of a tree, and ends it after the test."""
    started = []

    def start(program: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", program]
        started.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        assert started[-1].stdout.readline() == "up\n"
        return started[-1]

    yield start
    for process in started:
        process.communicate(timeout=60)


READERS = [pytest.param(trees.Linux, marks=linux, id="linux"), pytest.param(trees.Portable, id="portable")]


@pytest.mark.parametrize("reader", READERS)
def test_a_real_child_that_ends_between_two_rows_keeps_its_cpu_in_the_account(root, reader):
    parent = root(PARENT.format(burn=BURN.format(0.5)))
    probe = Trees(Context(parent.pid), reader())
    began = time.monotonic()
    before = probe.read(began)
    parent.stdin.write("go\n")
    parent.stdin.flush()
    assert parent.stdout.readline() == "done\n"
    ended = time.monotonic()
    after = probe.read(ended)
    if sys.platform != "linux" and not after[0]:
        pytest.skip("this system does not tell of children that ended")
    assert (before[2], after[2]) == (1, 1)
    assert after[0] / 100 * (os.cpu_count() or 1) * (ended - began) == pytest.approx(0.55, abs=0.15)


@pytest.mark.parametrize("reader", READERS)
def test_real_stressors_are_counted_apart_from_their_owner(root, reader):
    program = str(Path(stressors.__file__).with_name("__main__.py"))
    load = {"module": "stressors.cpu_stress", "unit": "count", "profile": [[0, 2]]}
    owner = root(OWNER.format(program=program, request={"op": "apply", "id": "load", **load}))
    probe = Trees(Context(owner.pid), reader())
    probe.read(time.monotonic())
    time.sleep(0.3)
    tests_cpu, _, tests, stress_cpu, resident, stress = probe.read(time.monotonic())
    assert (tests, stress) == (1, 3)
    assert stress_cpu > 5 * tests_cpu
    assert resident > 1
