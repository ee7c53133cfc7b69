"""Stressors of stress-ng under our supervisor, and the keeper that leaves nothing of them."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress

import psutil
import pytest

from pytest_twin.stressors.kinds import _stress_ng_program

pytestmark = [pytest.mark.skipif(sys.platform != "linux", reason="only on Linux")]
NG = {"module": "pytest_twin.stressors.kinds.stress_ng", "unit": "count"}
installed = pytest.mark.skipif(
    _stress_ng_program.shutil.which("stress-ng") is None, reason="stress-ng is not installed"
)


@pytest.fixture
def asked(supervisor, tmp_path):
    """Asks for a stressor; its request."""

    def ask(stressor: str, instances: int = 1) -> dict:
        options = {"directory": str(tmp_path), "stressor": stressor}
        return {**NG, "profile": [[0, instances]], "options": options}

    return ask


@pytest.fixture
def fake(tmp_path, monkeypatch, started):
    """A program in place of stress-ng, and a supervisor that finds it."""
    from driving import BARE, SOURCES, Supervisor

    def write(script: str) -> Supervisor:
        folder = tmp_path / "bin"
        folder.mkdir()
        program = folder / "stress-ng"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return Supervisor(started(*BARE, SOURCES / "__main__.py", env={"PATH": f"{folder}:{os.environ['PATH']}"}))

    return write


def tree(pid: int) -> list[psutil.Process]:
    """All that is below a process."""
    return psutil.Process(pid).children(recursive=True)


def name_of(process: psutil.Process) -> str:
    """Its name, empty if it has ended."""
    with suppress(psutil.NoSuchProcess):
        return process.name()
    return ""


@installed
def test_its_instances_run_when_it_is_ready_and_are_gone_with_all_they_had(
    supervisor, asked, eventually, eventually_gone, tmp_path
):
    ready = supervisor.applied(**asked("matrix", 2))
    running = tree(ready["pids"][0])
    assert sum(each.name().startswith("stress-ng-") for each in running) == 2
    end = supervisor.stopped()
    assert (end["event"], end["reason"]) == ("end", "stopped")
    eventually_gone(running)
    eventually(lambda: not list(tmp_path.iterdir()))


@installed
def test_it_tells_of_the_cpu_seconds_of_all_its_processes(supervisor, asked, eventually):
    def bogo_ops() -> int:
        supervisor.applied(**asked("matrix", 2))
        eventually(lambda: supervisor.achieved().get("cpu_s", 0) > 0.3)
        achieved = supervisor.stopped()["achieved"]
        assert achieved["cpu_s"] > 0.3
        return achieved.get("bogo_ops", 0)

    assert any(bogo_ops() > 0 for _ in range(5))  # one that ends too slowly is killed, and tells of none


@installed
@pytest.mark.parametrize("stressor", ["matrix", "fork", "vm"])
@pytest.mark.parametrize("victim", ["supervisor", "worker", "keeper", "program"])
def test_nothing_is_left_whichever_process_is_killed(
    supervisor, asked, eventually, eventually_gone, tmp_path, stressor, victim
):
    [worker] = supervisor.applied(**asked(stressor))["pids"]
    keeper = psutil.Process(worker).children()[0]
    program = keeper.children()[0]
    running = [psutil.Process(worker), *tree(worker)]
    pids = {"supervisor": supervisor.process.pid, "worker": worker, "keeper": keeper.pid, "program": program.pid}
    os.kill(pids[victim], signal.SIGKILL)
    eventually_gone(running)
    eventually(lambda: not of_group(program.pid) and not list(tmp_path.iterdir()))
    if victim != "supervisor":
        assert supervisor.hear()["event"] == "abort"


def of_group(group: int) -> list[int]:
    """Processes of a process group, ended ones left out."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, ProcessLookupError):
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found


@installed
def test_one_that_is_killed_is_an_abort_that_says_so(supervisor, asked):
    [worker] = supervisor.applied(**asked("matrix"))["pids"]
    program = psutil.Process(worker).children()[0].children()[0]
    program.kill()
    assert supervisor.hear()["reason"] == "stress-ng --matrix ended by itself (killed by SIGKILL)"


@installed
def test_a_pause_stops_all_of_it(supervisor, asked, eventually):
    [worker] = supervisor.applied(**asked("matrix"))["pids"]
    hogs = [each for each in tree(worker) if each.name().startswith("stress-ng")]
    os.kill(worker, signal.SIGUSR1)
    eventually(lambda: all(each.status() == psutil.STATUS_STOPPED for each in hogs))
    os.kill(worker, signal.SIGUSR2)
    eventually(lambda: not any(each.status() == psutil.STATUS_STOPPED for each in hogs))
    assert supervisor.stopped()["event"] == "end"


@installed
def test_the_program_that_is_installed_lists_its_stressors():
    assert {"cpu", "cache", "matrix"} <= _stress_ng_program.stressors()


@pytest.mark.parametrize(
    ("end", "words"), [("exit 3", "no such luck"), ("kill -KILL $$", "killed by SIGKILL")], ids=["exit", "signal"]
)
def test_one_that_ends_by_itself_is_an_abort_that_says_why(fake, asked, end, words):
    supervisor = fake(f'echo "stress-ng: error: [$$] no such luck" >&2; {end}')
    supervisor.apply(**asked("matrix"))
    abort = supervisor.hear()
    assert (abort["event"], abort["reason"]) == ("abort", f"stress-ng --matrix ended by itself ({words})")


def test_one_that_does_not_listen_is_killed_soon_wherever_it_hides(fake, asked, eventually, eventually_gone):
    supervisor = fake("trap '' INT TERM; setsid sleep 600 & sleep 600 & (sleep 600 &) & sleep 600 & wait; sleep 600")
    supervisor.apply(**asked("matrix"))
    eventually(lambda: [name_of(each) for each in tree(supervisor.process.pid)].count("sleep") == 4)
    running = tree(supervisor.process.pid)
    supervisor.send({"op": "stop", "id": "load"})
    assert supervisor.hear()["event"] == "abort"  # it was never there
    eventually_gone(running)


def test_without_the_program_it_says_what_to_do(monkeypatch):
    monkeypatch.setattr(_stress_ng_program.shutil, "which", lambda name: None)
    with pytest.raises(OSError, match="not installed") as caught:
        _stress_ng_program.program()
    assert str(caught.value) == "stress-ng is not installed; install it (apt install stress-ng), or remove engine"


def test_one_that_was_skipped_says_why(fake, asked):
    supervisor = fake(
        'echo "stress-ng: info:  [$$] matrix stressor will be skipped, no way"; echo "stress-ng: error: [$$] none" >&2'
    )
    supervisor.apply(**asked("matrix"))
    assert supervisor.hear()["reason"] == (
        "stress-ng --matrix ended by itself (matrix stressor will be skipped, no way)"
    )
