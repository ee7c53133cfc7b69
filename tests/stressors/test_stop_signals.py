"""CPU time is limited without rights: processes are stopped and continued, and nobody stays stopped."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from constrained import (
    BUSY,
    FORKS,
    IDLE,
    STOP_SIGNALS,
    constraint,
    enforcer,
    is_held,
    processes,
    states,
    tree,
)  # fmt: skip
from driving import BARE, SOURCES, Supervisor, without_freezes
from other_user import as_nobody

from pytest_twin.stressors import PROCESS_NAME

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="constraints need Linux")

STOPPED = {"T"}


def limit(pid, **options):
    return constraint(pid, backend=STOP_SIGNALS, **options)


@pytest.mark.slow
def test_several_processes_use_the_quota_together(supervisor, eventually):
    def is_stalled() -> bool:
        figures = supervisor.achieved()
        return figures["stalls"] > 3 and figures["throttled_s"] > 0.2

    with processes(FORKS.format(2) + BUSY) as tests:
        supervisor.applied(**limit(tests.pid, cpu=0.2))
        assert is_held(tests.pid, 0.26, seconds=2)
        eventually(is_stalled)
        ended = supervisor.stopped()["achieved"]
        assert ended["backend"] == STOP_SIGNALS
        assert ended["median_cpu_s"] < 2 * 0.02


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="no right to raise a priority")
def test_the_enforcer_has_a_higher_priority_than_the_processes_that_it_stops(supervisor):
    with processes(IDLE) as tests:
        supervisor.applied(**limit(tests.pid, cpu=0.5))
        pids = tests.pid, supervisor.process.pid, enforcer(supervisor.process.pid).pid
        of_tests, of_supervisor, of_enforcer = (os.getpriority(os.PRIO_PROCESS, pid) for pid in pids)
        assert of_tests == of_supervisor
        assert of_enforcer == max(of_supervisor - 10, -20)


def test_a_short_period_makes_a_slower_cpu(supervisor, eventually):
    with processes(BUSY) as tests:
        supervisor.applied(**limit(tests.pid, cpu=0.4, period=0.005))
        assert is_held(tests.pid, 0.5)
        eventually(lambda: supervisor.achieved()["stalls"] > 5)


@pytest.mark.slow
def test_children_that_have_ended_count(supervisor):
    program = "import os\nwhile True:\n if not os.fork():\n  sum(range(100000)); os._exit(0)\n os.wait()"
    with processes(program) as tests:
        supervisor.applied(**limit(tests.pid, cpu=0.3))
        assert any(used_with_children(tests.pid, seconds=2) < 0.39 for _ in range(10))


def used_with_children(pid: int, seconds: float) -> float:
    """CPU seconds that a process and the children that it waited for use in some seconds, for each of these."""
    began, before = time.monotonic(), sum(psutil.Process(pid).cpu_times()[:4])
    time.sleep(seconds)
    return (sum(psutil.Process(pid).cpu_times()[:4]) - before) / (time.monotonic() - began)


def test_nobody_is_left_stopped(supervisor, eventually):
    with processes(FORKS.format(2) + BUSY) as tests:
        supervisor.applied(**limit(tests.pid, cpu=0.05))
        eventually(lambda: states(tests.pid) == STOPPED)
        supervisor.stopped()
        eventually(lambda: not states(tests.pid) & STOPPED)


@pytest.mark.parametrize("victim", ["enforcer", "supervisor"])
def test_the_guardian_continues_everything_when_another_process_of_ours_is_killed(supervisor, eventually, victim):
    with processes(FORKS.format(2) + BUSY) as tests:
        supervisor.applied(**limit(tests.pid, cpu=0.05))
        eventually(lambda: states(tests.pid) == STOPPED)
        works = enforcer(supervisor.process.pid)
        guardian = works.children()[0]
        (works if victim == "enforcer" else psutil.Process(supervisor.process.pid)).kill()
        eventually(lambda: not states(tests.pid) & STOPPED and not guardian.is_running())


def test_the_constraint_ends_when_its_guardian_is_killed(supervisor, eventually):
    with processes(BUSY) as tests:
        supervisor.applied(**limit(tests.pid, cpu=0.05))
        enforcer(supervisor.process.pid).children()[0].kill()
        ended = supervisor.hear()
        assert (ended["event"], ended["reason"]) == ("abort", "the guardian of the constraint has ended")
        assert not states(tests.pid) & STOPPED


def test_a_pause_lifts_the_constraint(supervisor, eventually):
    with processes(BUSY) as tests:
        supervisor.applied(**limit(tests.pid, cpu=0.02))
        eventually(lambda: states(tests.pid) == STOPPED)
        supervisor.send({"op": "pause", "reason": "pdb"})
        assert supervisor.hear()["event"] == "paused"
        eventually(lambda: not any(states(tests.pid) & STOPPED or time.sleep(0.01) for _ in range(30)))
        supervisor.send({"op": "resume", "reason": "pdb"})
        assert supervisor.hear()["event"] == "resumed"
        eventually(lambda: states(tests.pid) == STOPPED)


def test_a_child_that_the_tests_have_stopped_stays_stopped(supervisor, eventually):
    with processes(f"import os\nif not os.fork():\n{' ' + BUSY}\n{BUSY}") as tests:
        eventually(lambda: len(tree(tests.pid)) == 2)
        child = tree(tests.pid)[1]
        # a quota that is never used up: who is stopped during a stall, goes on at its end
        supervisor.applied(**limit(tests.pid, cpu=os.cpu_count() + 1))
        child.suspend()
        eventually(lambda: child.status() == psutil.STATUS_STOPPED)
        used = sum(child.cpu_times()[:2])
        supervisor.applied("other", **limit(tests.pid, cpu=0.02))  # a second one at the same time
        eventually(lambda: supervisor.achieved("other")["stalls"] > 3)
        supervisor.stopped("other")
        supervisor.stopped()
        assert sum(child.cpu_times()[:2]) == used
        assert child.status() == psutil.STATUS_STOPPED


def test_processes_outside_are_not_stopped(supervisor, eventually):
    with processes(f"import os\nif not os.fork():\n{' ' + BUSY}\n{BUSY}") as tests:
        eventually(lambda: len(tree(tests.pid)) == 2)
        child = tree(tests.pid)[1]
        supervisor.applied(**limit(tests.pid, cpu=0.02, outside=[child.pid]))
        found = [Path(f"/proc/{child.pid}/stat").read_text().split()[2] for _ in range(50) if not time.sleep(0.01)]
        assert "T" not in found


@pytest.mark.slow
def test_a_supervisor_that_was_started_within_the_tests_is_not_stopped(supervisor, eventually):
    program = (
        f"import subprocess\ns = subprocess.Popen({[*BARE, str(SOURCES / '__main__.py')]!r}, stdin=-1, stdout=-1)\n"
        f"print(s.stdout.readline(), flush=True)\n{BUSY}"
    )
    with processes(program) as tests:
        supervisor.applied(**limit(tests.pid, cpu=0.1))
        eventually(lambda: len(tree(tests.pid)) > 1)
        inner = next(each for each in tree(tests.pid) if each.pid != tests.pid)
        eventually(lambda: inner.name() == PROCESS_NAME, within=60)
        eventually(lambda: states(tests.pid) == {"T", "S"})
        eventually(lambda: not any(inner.status() == psutil.STATUS_STOPPED or time.sleep(0.01) for _ in range(50)))


@pytest.mark.slow
def test_the_stalls_of_the_parent_are_no_pause(started):
    """The supervisor pauses all loads while its parent is stopped, unless a constraint has stopped it."""
    program = (
        "import json, os, subprocess, sys, time\n"
        f"s = subprocess.Popen({[*BARE, str(SOURCES / '__main__.py')]!r}, stdin=-1, stdout=-1, text=True)\n"
        "request = json.loads(sys.argv[1]); request['options']['pid'] = os.getpid()\n"
        "print(json.dumps({'op': 'apply', 'id': 'load', **request}), file=s.stdin, flush=True)\n"
        "stalls = 0\n"
        "while stalls < 20:\n"
        "    end = time.monotonic() + 0.5\n"
        "    while time.monotonic() < end: pass\n"
        "    print(json.dumps({'op': 'achieved', 'id': 'load'}), file=s.stdin, flush=True)\n"
        "    while (reply := json.loads(s.stdout.readline()))['event'] != 'achieved': print(json.dumps(reply))\n"
        "    stalls = reply['achieved'].get('stalls', 0)\n"
        "print(json.dumps({'op': 'stop', 'id': 'load'}), file=s.stdin, flush=True)\n"
        "print(s.communicate()[0])\n"
    )
    import json

    process = started(*BARE, "-c", program, json.dumps(limit(0, cpu=0.03)))
    told = [json.loads(line) for line in process.communicate(timeout=200)[0].splitlines() if line]
    assert [each["event"] for each in without_freezes(told)] == ["hello", "ready", "end"]


def test_it_works_for_a_user_without_rights(started):
    supervisor = Supervisor(started(*as_nobody(*BARE, SOURCES / "__main__.py")))
    with processes(BUSY, as_user=as_nobody) as tests:
        supervisor.applied(**constraint(tests.pid, cpu=0.2, cpus=1, mem=1 << 28))
        assert is_held(tests.pid, 0.3)
        ended = supervisor.stopped()["achieved"]
        assert ended["backend"] == "stop signals and CPU affinity and memory watch"


def test_an_error_names_every_backend_and_why_it_does_not_work(started):
    if os.geteuid() != 0:
        pytest.skip("only root can become a user without rights, and start a process of another user")
    supervisor = Supervisor(started(*as_nobody(*BARE, SOURCES / "__main__.py")))
    with processes(IDLE) as tests:
        supervisor.apply(**constraint(tests.pid, cpu=0.2))
        reason = supervisor.hear()["reason"]
        assert reason.startswith("cannot constrain cpu: control group: ")
        assert f"; stop signals: process {tests.pid} cannot be stopped: Operation not permitted" in reason
        assert "\n" not in reason


def test_a_shell_with_job_control_would_take_a_stop_for_a_ctrl_z(eventually):
    from pytest_twin.stressors.constraint.stop_signals import check_job_control

    shell, terminal = pty.fork()
    if shell == 0:  # what a shell does: each job gets a process group of its own
        if os.fork() == 0:
            os.setpgid(0, 0)
        signal.pause()
    try:
        eventually(lambda: psutil.Process(shell).children())
        job = psutil.Process(shell).children()[0].pid
        eventually(lambda: os.getpgid(job) == job)
        with pytest.raises(ValueError, match=r"would take a stop of the tests for a Ctrl-Z$"):
            check_job_control(job)
        check_job_control(job, unaffected=shell)
        check_job_control(shell)
    finally:
        os.killpg(job, signal.SIGKILL)
        os.kill(shell, signal.SIGKILL)
        os.waitpid(shell, 0)
        os.close(terminal)


UNAWARE = {
    "subprocess": "import subprocess, sys\nfor _ in range(9):\n"
    " assert subprocess.run([sys.executable, '-S', '-c', 'print(sum(range(10**6)))'],"
    " capture_output=True, check=True).stdout == b'499999500000\\n'",
    "multiprocessing": "import multiprocessing\nwith multiprocessing.get_context('fork').Pool(2) as pool:\n"
    " assert pool.map(sum, [range(10**6)] * 9) == [499999500000] * 9",
    "asyncio": "import asyncio, sys\nasync def main():\n for _ in range(9):\n"
    "  child = await asyncio.create_subprocess_exec(\n"
    "   sys.executable, '-S', '-c', 'import os; sum(range(10**6)); os._exit(7)')\n"
    "  assert await child.wait() == 7\nasyncio.run(main())",
}


@pytest.mark.slow
@pytest.mark.parametrize("library", UNAWARE)
def test_libraries_that_wait_for_children_do_not_notice(supervisor, library):
    program = f"import sys\nsys.stdin.readline()\n{UNAWARE[library]}\nprint('as ever')"
    with processes(program, stdin=subprocess.PIPE) as tests:
        supervisor.applied(**limit(tests.pid, cpu=0.2, period=0.02))
        told, _ = tests.communicate("go\n", timeout=200)
        assert told == "as ever\n"
        assert supervisor.stopped()["achieved"]["stalls"] > 0
