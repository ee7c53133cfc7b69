"""The memory stressor, by hand and under the supervisor."""

from __future__ import annotations

import re
import signal
import sys
from types import SimpleNamespace

import psutil
import pytest

from stressors import mem_stress
from stressors.capacity import MIB
from stressors.job import Job
from stressors.mem_stress import PAGE, Held
from stressors.standalone import staircase

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
MEMORY = {"module": "stressors.mem_stress", "unit": "bytes"}


def test_it_runs_from_a_bare_checkout_and_says_what_it_did(run):
    status, said, errors = run("mem_stress.py", "--step_mb", 20, "--steps", 3, "--sleep", 0.2)
    assert (status, errors) == (0, "")
    assert re.fullmatch(
        r"memory load ready: 1 process\(es\)\n"
        r"memory load ended \(duration\): \d\.\d s, \d\.\d\d CPU s, 60 MiB peak\n",
        said,
    )


@pytest.mark.parametrize(
    ("flag", "value", "message"),
    [
        ("--step_mb", "0", "'0' is not a number from 1 up"),
        ("--steps", "2.5", "'2.5' is not a whole number from 1 up"),
        ("--sleep", "-1", "'-1' is not a number from 0 up"),
        ("--duration", "long", "'long' is not a number from 0 up"),
    ],
)
def test_nonsense_is_refused_with_a_reason(run, flag, value, message):
    status, said, errors = run("mem_stress.py", flag, value)
    assert (status, said) == (2, "")
    assert errors.splitlines()[-1] == f"mem_stress.py: error: argument {flag}: {message}"


def test_its_help_names_every_flag(run):
    status, said, _ = run("mem_stress.py", "--help")
    assert status == 0
    assert set(re.findall(r"--\w+", said)) == {"--help", "--step_mb", "--steps", "--sleep", "--duration"}


def test_what_it_holds_is_resident_when_it_says_so(start):
    program = start("mem_stress.py", "--step_mb", 200, "--steps", 1, "--sleep", 60)
    (worker,) = program.workers
    interpreter = psutil.Process(program.process.pid).memory_info().rss
    assert worker.memory_info().rss - interpreter == pytest.approx(200 * MIB, rel=0.05)


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_cleanly(start, number):
    program = start("mem_stress.py", "--step_mb", 20, "--steps", 2, "--sleep", 60)
    workers = program.workers
    program.process.send_signal(number)
    status, said = program.end()
    assert status == 0
    assert re.fullmatch(r"memory load ended \(stopped\): \d\.\d s, \d\.\d\d CPU s, 20 MiB peak\n", said)
    assert not any(worker.is_running() for worker in workers)


def test_it_follows_a_profile_up_and_down(supervisor, eventually):
    def resident() -> float:
        supervisor.send({"op": "achieved", "id": "load"})
        return supervisor.hear()["achieved"].get("resident_bytes")

    supervisor.applied(**MEMORY, profile=[[0, 0], [0.1, 64 * MIB], [0.5, 64 * MIB], [0.6, 8 * MIB]])
    eventually(lambda: resident() == 8 * MIB)
    assert supervisor.stopped()["achieved"]["peak_bytes"] == 64 * MIB


def test_a_staircase_goes_up_at_once_and_stays():
    assert staircase(5, 3, 10) == [(0, 5), (10, 5), (10, 10), (20, 10), (20, 15)]


@pytest.fixture
def held(monkeypatch):
    """Memory held in this process, on a machine that has 10 GiB, of which 600 MiB can still be had."""
    machine = SimpleNamespace(available=600 * MIB, total=10240 * MIB)
    monkeypatch.setattr(mem_stress, "available_memory", lambda: machine.available)
    monkeypatch.setattr(mem_stress, "usable_memory", lambda: machine.total)
    job = Job({"unit": "bytes", "profile": [(0, 0)]})
    return SimpleNamespace(memory=Held(job), achieved=job.achieved, machine=machine)


def test_it_holds_whole_pages(held):
    held.memory.grow_to(PAGE + 1)
    assert held.achieved == {"resident_bytes": 2 * PAGE, "peak_bytes": 2 * PAGE}


def test_it_gives_back_what_is_no_longer_wanted(held):
    held.memory.grow_to(40 * MIB)
    held.memory.follow(MIB)
    assert held.achieved == {"resident_bytes": MIB, "peak_bytes": 40 * MIB}


def test_it_leaves_a_reserve_to_everybody_else(held):
    held.machine.available = 520 * MIB
    held.memory.grow_to(100 * MIB)
    assert held.achieved == {
        "resident_bytes": 0, "reduced": "stopped at 0 of 100 MiB: 512 MiB are left to everybody else"
    }  # fmt: skip


def test_where_nobody_tells_how_much_there_is_it_takes_what_was_asked(held):
    held.machine.available = held.machine.total = None
    held.memory.grow_to(3 * MIB)
    assert held.achieved["resident_bytes"] == 3 * MIB


def test_a_share_of_an_unknown_amount_is_refused(monkeypatch):
    monkeypatch.setattr(mem_stress, "usable_memory", lambda: None)
    with pytest.raises(OSError, match="tell how much") as caught:
        mem_stress.stress(Job({"unit": "share", "profile": [(0, 0.25)]}))
    assert str(caught.value) == ("this platform does not tell how much memory there is; give an amount such as 1GiB")
