"""The memory stressor, by hand and under the supervisor."""

from __future__ import annotations

import re
import signal
import sys
from types import SimpleNamespace
from unittest.mock import Mock

import psutil
import pytest

from pytest_twin.stressors.kinds import mem
from pytest_twin.stressors.kinds._resident_memory import PAGE
from pytest_twin.stressors.kinds.mem import MIN_WORKER_SIZE, MemoryShare
from pytest_twin.stressors.spec.request import WHOLE, LoadRequest
from pytest_twin.stressors.supervisor.standalone import staircase
from pytest_twin.stressors.system.capacity import MIB
from pytest_twin.stressors.worker.job import Job

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
MEMORY = {"module": "pytest_twin.stressors.kinds.mem", "unit": "bytes"}


def test_it_runs_from_a_bare_checkout_and_says_what_it_did(run):
    def is_said(sleep_s: float) -> bool:
        status, said, errors = run("mem_stress.py", "--step_mb", 20, "--steps", 3, "--sleep", sleep_s)
        assert (status, errors) == (int("failed" in said), "")
        words = (
            r"memory load ready: 1 process\(es\)\n"
            r"memory load ended \(duration\): \d+\.\d s, \d+\.\d\d CPU s, 60 MiB peak\n"
        )
        return re.fullmatch(words, said) is not None

    assert any(map(is_said, (0.2, 0.2, 0.5, 1, 2, 4)))  # one that has no CPU for a moment misses a step


@pytest.mark.parametrize(
    ("flag", "value", "message"),
    [
        ("--step_mb", "0", "'0' is not a number of at least 1"),
        ("--steps", "2.5", "'2.5' is not a whole number of at least 1"),
        ("--sleep", "-1", "'-1' is not a number of at least 0"),
        ("--duration", "long", "'long' is not a number of at least 0"),
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
    assert re.fullmatch(r"memory load ended \(stopped\): \d+\.\d s, \d+\.\d\d CPU s, 20 MiB peak\n", said)
    assert not any(worker.is_running() for worker in workers)


def test_it_follows_a_profile_up_and_down(supervisor, eventually):
    def peak() -> int:
        supervisor.applied(**MEMORY, profile=[[0, 0], [0.1, 64 * MIB], [0.5, 64 * MIB], [0.6, 8 * MIB]])
        eventually(lambda: supervisor.achieved().get("resident_bytes") == 8 * MIB)
        return supervisor.stopped()["achieved"]["peak_bytes"]

    assert any(peak() == 64 * MIB for _ in range(5))  # one that has no CPU meanwhile goes past it


def test_a_staircase_goes_up_at_once_and_stays():
    assert staircase(5, 3, 10) == [(0, 5), (10, 5), (10, 10), (20, 10), (20, 15)]


@pytest.fixture
def machine(monkeypatch):
    """A machine that has 10 GiB, of which half a GiB is reserved for other processes, and 612 MiB are available."""
    machine = SimpleNamespace(available=612 * MIB, total=10240 * MIB, cpus=2.0, held=lambda: 0)
    monkeypatch.setattr(
        mem, "available_memory", lambda: None if machine.total is None else machine.available - machine.held()
    )
    monkeypatch.setattr(mem, "usable_memory", lambda: machine.total)
    monkeypatch.setattr(mem, "usable_cpus", lambda: machine.cpus)
    return machine


@pytest.fixture
def held(machine):
    """Memory held in this process."""
    job = job_of(0)
    job.tick = lambda: None  # once in a while it tells of CPU seconds
    memory = MemoryShare(job)
    machine.held = lambda: memory._memory.size
    return SimpleNamespace(memory=memory, job=job, achieved=job.achieved, machine=machine)


def job_of(size: float, unit: str = "bytes", **options) -> Job:
    return Job(LoadRequest(unit=unit, profile=[(0, size)], options=options))


def test_it_holds_whole_pages(held):
    held.memory.resize(PAGE + 1)
    assert held.achieved == {"resident_bytes": 2 * PAGE, "peak_bytes": 2 * PAGE}


def test_it_gives_back_what_is_no_longer_wanted(held):
    held.memory.resize(40 * MIB)
    held.memory.resize(MIB)
    held.memory.verify()
    assert held.achieved == {"resident_bytes": MIB, "peak_bytes": 40 * MIB}


def test_it_leaves_a_reserve_to_other_processes(held):
    held.memory.resize(200 * MIB)
    assert held.achieved == {
        "resident_bytes": 100 * MIB,
        "peak_bytes": 100 * MIB,
        "reduced": "requested 200 MiB; allocated 100 MiB (10240 MiB usable, 512 MiB reserved for other processes)",
    }


def test_it_goes_on_growing_when_there_is_more_again(held):
    held.memory.resize(120 * MIB)
    held.machine.available += 20 * MIB
    held.memory.resize(120 * MIB)
    assert held.achieved["resident_bytes"] == 120 * MIB


def test_it_stops_where_others_take_the_memory_while_it_fills(held, monkeypatch):
    shrinking = iter(range(560, 0, -8))
    monkeypatch.setattr(mem, "available_memory", lambda: next(shrinking) * MIB)
    held.memory.resize(500 * MIB)
    assert 0 < held.achieved["resident_bytes"] < 8 * 16 * MIB
    assert "reduced" in held.achieved


def test_workers_that_fill_at_the_same_moment_take_no_more_than_there_is(held, monkeypatch):
    held.job.workers, held.machine.available = 4, (512 + 8) * MIB
    steps = []
    monkeypatch.setattr(held.memory._memory, "grow", steps.append)
    monkeypatch.setattr(held.job, "tick", Mock(side_effect=StopIteration))
    with pytest.raises(StopIteration):
        held.memory.resize(1024 * MIB)
    assert steps == [2 * MIB]


def test_each_worker_holds_its_part(held):
    held.job.workers = 3
    held.memory.resize(30 * MIB)
    assert held.achieved["resident_bytes"] == 10 * MIB


def test_a_strict_load_fails_where_it_falls_short(held):
    held.job.strict = True
    with pytest.raises(OSError, match=r"requested 200 MiB; allocated 100 MiB \(10240 MiB usable, 512 MiB reserved"):
        held.memory.resize(200 * MIB)


def test_a_strict_load_is_refused_before_it_begins(machine):
    with pytest.raises(OSError, match="requested") as caught:
        mem.workers(job_of(200 * MIB, strict=True))
    assert str(caught.value) == (
        "requested 200 MiB; only 100 MiB are available (10240 MiB usable, 512 MiB reserved for other processes)"
    )
    assert mem.workers(job_of(99 * MIB, strict=True)) == 1


@pytest.mark.parametrize(
    ("size", "cpus", "workers"),
    [(MIB, 8.0, 1), (2 * MIN_WORKER_SIZE, 8.0, 2), (2 * MIN_WORKER_SIZE, 0.5, 1), (64 * MIN_WORKER_SIZE, 1.5, 2)],
)
def test_it_takes_as_many_workers_as_the_amount_and_the_cpus_are_worth(machine, size, cpus, workers):
    machine.cpus = cpus
    assert mem.workers(job_of(size)) == workers


@pytest.mark.parametrize(("amount", "unit", "size"), [(5 * MIB, "bytes", 5 * MIB), (0.25, "share", 2560 * MIB)])
def test_its_demand_is_its_peak(machine, amount, unit, size):
    assert mem.demand(Job(LoadRequest(unit=unit, profile=[(0, 0), (1, amount), (2, 0)]))) == size


def test_where_nobody_tells_how_much_there_is_it_takes_what_was_asked(held):
    held.machine.total = None
    held.memory.resize(3 * MIB)
    assert held.achieved == {"resident_bytes": 3 * MIB, "peak_bytes": 3 * MIB}


def test_a_share_of_an_unknown_amount_is_refused(machine):
    machine.total = None
    with pytest.raises(OSError, match="size of the memory") as caught:
        mem.stress(job_of(0.25, "share"))
    assert str(caught.value) == ("the size of the memory is not known on this platform; give an amount such as 1GiB")


def test_huge_pages_that_are_switched_off_are_told_of(machine, monkeypatch):
    monkeypatch.setattr(mem, "has_huge_pages", lambda: False)
    job = job_of(MIB, huge=True)
    MemoryShare(job)
    assert job.achieved["reduced"] == "requested huge pages; they are disabled on this machine"


def test_it_touches_each_page_once_in_a_while_at_an_even_pace(held, monkeypatch):
    held.memory.resize(64 * MIB)  # 4 blocks
    touched = []
    monkeypatch.setattr(held.memory._memory, "touch_next", lambda _: touched.append(held.job.now()))
    clock = SimpleNamespace(now=held.job.now())
    held.job.now = lambda: clock.now
    for _ in range(900):  # 90 s: the first of three rounds is yet to begin
        clock.now += 0.1
        held.memory.touch()
    assert len(touched) == pytest.approx(2 * 4, abs=1)


@pytest.fixture
def whole(machine):
    """The memory of a machine that is filled up to a level."""
    job = Job(LoadRequest(unit="bytes", profile=[(0, 0)], options={WHOLE: True}))
    job.tick = lambda: None
    memory = MemoryShare(job)
    machine.available, machine.held = 2048 * MIB, lambda: memory._memory.size  # 8 GiB are in use by others
    return SimpleNamespace(memory=memory, job=job, machine=machine)


def test_of_the_whole_machine_what_others_use_is_left_out(whole):
    for others, level, held in [(8192, 8200, 8), (8190, 8200, 10), (8198, 8200, 2), (8300, 8200, 0)]:
        whole.machine.available = (10240 - others) * MIB
        whole.memory.resize(level * MIB)
        assert whole.memory._memory.size == held * MIB


def test_of_the_whole_machine_the_level_is_the_figure(whole):
    whole.memory.resize(8200 * MIB)
    whole.memory.resize(8200 * MIB)
    assert whole.job.achieved["resident_bytes"] == 8200 * MIB


def test_a_level_of_the_whole_machine_has_one_worker(machine):
    assert mem.workers(job_of(8 << 30, **{WHOLE: True})) == 1
