"""A constraint that is applied again and again, as around each test of a file, without being set up anew."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from constrained import (
    BUSY,
    CONTROL_GROUP,
    IDLE,
    STOP_SIGNALS,
    beside,
    constraint,
    enforcer,
    groups_of,
    is_free,
    is_held,
    processes,
    states,
    tree,
)  # fmt: skip
from driving import light

from pytest_twin.stressors.constraint.enforcer import find_backends

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="constraints need Linux")

DAEMON = """import os, sys
sys.stdin.readline()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print(os.getpid(), flush=True)
        while True: pass
    os._exit(0)
os.wait()
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def backends():
    return find_backends()


@pytest.fixture(params=[CONTROL_GROUP, STOP_SIGNALS])
def limit(request, backends):
    """A constraint that is reused, by each backend; the test is skipped where that cannot be had."""
    if why := backends["cpu"][request.param]:
        pytest.skip(why)
    return lambda pid, cpu=0.2, **options: constraint(pid, backend=request.param, cpu=cpu, reuse=True, **options)


def placed(pid: int) -> str:
    """The control groups of a process."""
    return Path(f"/proc/{pid}/cgroup").read_text()


def test_one_enforcer_serves_one_load_after_the_other(supervisor, limit):
    with processes(IDLE) as tests:
        home = placed(tests.pid)
        enforcers, places = set(), set()
        for _ in range(5):
            enforcers.update(supervisor.applied(**limit(tests.pid))["pids"])
            places.add(placed(tests.pid))
            assert supervisor.stopped()["reason"] == "stopped"
        assert (len(enforcers), len(places)) == (1, 1)
        assert supervisor.end() == 0
        assert placed(tests.pid) == home
        assert groups_of(*enforcers) == []


def test_it_limits_each_time_and_not_in_between(supervisor, limit, eventually):
    with processes(BUSY) as tests:
        for _ in range(2):
            supervisor.applied(**limit(tests.pid, cpu=0.02))
            assert is_held(tests.pid, 0.1)
            supervisor.stopped()
            assert not states(tests.pid) & set("Tt")
            eventually(lambda: is_free(tests.pid))


def test_each_time_has_its_own_figures(supervisor, limit, eventually):
    with processes(BUSY) as tests:
        supervisor.applied(**limit(tests.pid, cpu=0.02))  # a busy machine leaves it more than that
        eventually(lambda: supervisor.achieved()["throttled_s"] > 0.3)
        first = supervisor.stopped()["achieved"]
        tests.send_signal(signal.SIGSTOP)
        eventually(lambda: states(tests.pid) == {"T"})
        ready = supervisor.applied(**limit(tests.pid, cpu=0.02))
        second = supervisor.stopped()["achieved"]
        assert first["tests_cpu_s"] > 0
        assert second["tests_cpu_s"] == pytest.approx(0, abs=0.001)
        assert second["throttled_s"] == pytest.approx(0, abs=0.001)
        assert (first["stalls"] > 0, second["stalls"]) == (True, 0)
        assert ready["achieved"]["backend"] == first["backend"]


def test_other_options_get_an_enforcer_of_their_own_and_the_first_one_ends(supervisor, limit):
    with processes(BUSY) as tests:
        (first,) = supervisor.applied(**limit(tests.pid, cpu=0.5))["pids"]
        supervisor.stopped()
        (second,) = supervisor.applied(**limit(tests.pid, cpu=0.1))["pids"]
        assert first != second
        assert groups_of(first) == []
        assert is_held(tests.pid, 0.2)


def test_another_load_finds_the_processes_at_home(supervisor, limit):
    with processes(IDLE) as tests:
        home = placed(tests.pid)
        supervisor.applied("limit", **limit(tests.pid))
        supervisor.stopped("limit")
        supervisor.applied("other", **light("other"))
        assert placed(tests.pid) == home


def test_within_another_constraint_it_is_reused_too_and_both_are_undone_in_either_order(supervisor, limit):
    with processes(IDLE) as tests:
        home = placed(tests.pid)
        outer = supervisor.applied("outer", **limit(tests.pid, cpu=0.8))["pids"]
        inner = set()
        for _ in range(2):
            inner.update(supervisor.applied("inner", **limit(tests.pid, cpu=0.2))["pids"])
            supervisor.stopped("inner")
        assert len(inner) == 1
        supervisor.stopped("outer")
        assert supervisor.end() == 0
        assert placed(tests.pid) == home
        assert groups_of(*outer, *inner) == []


def test_beside_another_load_it_is_undone_at_its_end(supervisor, limit, eventually):
    with processes(IDLE) as tests:
        home = placed(tests.pid)
        supervisor.applied("other", **light("other"))
        supervisor.applied("limit", **limit(tests.pid))
        supervisor.stopped("limit")
        eventually(lambda: placed(tests.pid) == home)


@pytest.mark.parametrize("victim", ["enforcer", "supervisor"])
def test_a_kill_in_between_leaves_nothing(supervisor, limit, victim, eventually, eventually_gone):
    with processes(IDLE) as tests:
        home = placed(tests.pid)
        (first,) = supervisor.applied(**limit(tests.pid))["pids"]
        supervisor.stopped()
        if victim == "supervisor":
            supervisor.process.kill()
        else:
            killed = psutil.Process(first)
            killed.kill()
            eventually_gone([killed])
        eventually(lambda: placed(tests.pid) == home and not groups_of(first))
        if victim == "enforcer":
            supervisor.applied("other", **light("other"))  # by its reply the supervisor has seen the death as well
            (second,) = supervisor.applied(**limit(tests.pid))["pids"]
            assert second != first


@pytest.mark.parametrize("is_resting", [True, False])
def test_the_next_constraint_waits_until_the_guardian_of_a_killed_enforcer_is_done(
    supervisor, limit, is_resting, eventually, eventually_gone
):
    with processes(BUSY) as tests:
        root = psutil.Process(tests.pid)
        home = placed(tests.pid), root.cpu_affinity()
        if len(home[1]) < 2:
            pytest.skip("needs two CPUs")
        supervisor.applied(**limit(tests.pid, cpus=1))
        killed = enforcer(supervisor.process.pid)
        (guardian,) = killed.children()
        if is_resting:
            supervisor.stopped()
        guardian.suspend()
        killed.kill()
        eventually_gone([killed])
        late = threading.Timer(0.2, guardian.resume)
        late.start()
        if is_resting:
            supervisor.applied(**limit(tests.pid, cpus=1))
            late.join()
            eventually_gone([guardian])
            assert len(root.cpu_affinity()) == 1
            assert supervisor.end() == 0
        else:
            assert "killed by SIGKILL" in supervisor.hear()["reason"]
        assert (placed(tests.pid), root.cpu_affinity()) == home
        late.join()


@pytest.mark.parametrize("is_resting", [True, False])
def test_a_slow_enforcer_without_a_guardian_undoes_the_constraint_at_the_end_of_the_run(supervisor, limit, is_resting):
    with processes(BUSY) as tests:
        root = psutil.Process(tests.pid)
        home = placed(tests.pid), root.cpu_affinity()
        supervisor.applied(**limit(tests.pid, cpus=1))
        slow = enforcer(supervisor.process.pid)
        if is_resting:
            supervisor.stopped()
        (guardian,) = slow.children()
        slow.suspend()  # as on a busy machine
        guardian.kill()
        late = threading.Thread(target=resume_late, args=(slow,))
        late.start()
        assert supervisor.end() == 0
        late.join()
        assert (placed(tests.pid), root.cpu_affinity()) == home


def resume_late(process: psutil.Process) -> None:
    """Keep a process from running for 1.5 s, also if others continue it."""
    until = time.monotonic() + 1.5
    while time.monotonic() < until:
        process.suspend()
        time.sleep(0.002)
    process.resume()


def test_a_daemon_that_a_test_has_left_is_free_of_the_next_one(supervisor, limit, eventually):
    with processes(DAEMON, stdin=subprocess.PIPE) as tests:
        home = placed(tests.pid)
        supervisor.applied(**limit(tests.pid))
        tests.stdin.write("go\n")
        tests.stdin.flush()
        daemon = psutil.Process(int(tests.stdout.readline()))
        try:
            eventually(lambda: daemon.ppid() not in {each.pid for each in tree(tests.pid)})
            supervisor.stopped()
            supervisor.applied(**limit(tests.pid))
            eventually(lambda: placed(daemon.pid) in beside(home))
            eventually(lambda: is_free(daemon.pid))
        finally:
            daemon.kill()
