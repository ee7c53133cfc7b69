"""Whether a load is what it should be: the verdict, on figures of our choice."""

from __future__ import annotations

import os

import pytest

from pytest_twin.stressors.spec.request import LoadRequest
from pytest_twin.stressors.supervisor import load_judge
from pytest_twin.stressors.supervisor.load_judge import LoadJudge, WorkerRecord
from pytest_twin.stressors.system.capacity import usable_cpus

RATE = {"module": "pytest_twin.stressors.kinds.net", "unit": "bytes/s", "profile": [[0, 1e6]]}
SHARE = {"module": "pytest_twin.stressors.kinds.cpu", "unit": "share", "profile": [[0, 1]]}
WORKERS = {"module": "pytest_twin.stressors.kinds.cpu", "unit": "count"}
MEMORY = {"module": "pytest_twin.stressors.kinds.mem", "unit": "bytes"}


def judge_of(request: dict, workers: int = 1) -> LoadJudge:
    made = LoadJudge(LoadRequest.from_json(request))
    made.records = [WorkerRecord(os.getpid()) for _ in range(workers)]
    return made


def verdict(judge: LoadJudge, held_s: float, **achieved: float) -> str:
    return judge.shortfall({**achieved, **judge.figures(held_s)}, held_s)


@pytest.mark.parametrize(("sent", "is_short"), [(10e6, False), (8e6, False), (7.9e6, True), (0.2e6, True)])
def test_a_rate_is_asked_for_as_long_as_its_owner_knows_it_was_held(sent, is_short):
    judge = judge_of(RATE)
    assert judge.figures(10) == {"held_s": 10, "asked_sent_bytes": 10e6}
    assert bool(verdict(judge, 10, sent_bytes=sent)) is is_short


def test_a_share_of_a_tenth_of_a_second_is_judged():
    judge, whole = judge_of(SHARE), 0.1 * usable_cpus()
    assert verdict(judge, 0.1, cpu_s=0.12 * whole).startswith("starved: achieved 12 % of the request (")
    assert verdict(judge, 0.1, cpu_s=0.75 * whole) == ""


def test_a_share_of_two_ticks_is_judged_as_far_as_ticks_tell():
    judge, whole = judge_of(SHARE), 0.02 * usable_cpus()
    assert verdict(judge, 0.02, cpu_s=0.0).startswith("starved: achieved 0 % ")
    assert verdict(judge, 0.02, cpu_s=0.4 * whole) == ""
    assert verdict(judge, 0.005, cpu_s=0.0) == ""


def test_what_is_moved_in_pieces_may_be_short_of_one_for_each_worker():
    judge = judge_of({**RATE, "profile": [[0, 1000]]}, workers=2)
    for record in judge.records:
        record.piece = 1000
    assert verdict(judge, 1.5, sent_bytes=0.0) == ""
    assert verdict(judge, 4, sent_bytes=1000.0).startswith("starved: achieved 25 % ")


@pytest.mark.parametrize(("workers", "cores"), [(1, 1), (2, 2), (8, 2)])
def test_of_workers_no_more_is_asked_than_there_are_cpus(monkeypatch, workers, cores):
    monkeypatch.setattr("pytest_twin.stressors.kinds.cpu.usable_cpus", lambda: 2.0)
    judge = judge_of({**WORKERS, "profile": [[0, workers]]}, workers)
    assert judge.figures(3)["asked_cpu_s"] == 3 * cores
    assert verdict(judge, 3, cpu_s=2.5 * cores) == ""
    assert verdict(judge, 3, cpu_s=0.08 * 3).startswith("starved: ")


def test_a_level_is_judged_by_its_mean_since_the_load_was_ready():
    judge = judge_of({**MEMORY, "profile": [[0, 0], [1, 1000]]})
    [record] = judge.records
    for at in range(4):  # it is there from the end of the ramp on
        judge.update(record, {"resident_bytes": 1000.0 * (at > 0)}, at)
    figures = judge.figures(4)
    assert figures == {"held_s": 4, "mean_resident_bytes": 875.0, "asked_mean_resident_bytes": 875.0}
    assert judge.shortfall(figures, 4) == ""


def test_a_level_that_is_not_reached_after_its_ramp_is_starved():
    judge = judge_of({**MEMORY, "profile": [[0, 0], [1, 1000 * 2**20]]})
    judge.update(judge.records[0], {"resident_bytes": 90.0 * 2**20}, 0)
    assert judge.shortfall(judge.figures(3), 3) == (
        "starved: achieved 10 % of the request (90 of 833.3 MiB mean resident)"
    )


def test_as_much_as_there_can_be_is_not_judged():
    judge = judge_of({**RATE, "unit": "max"})
    assert judge.figures(3) == {"held_s": 3}
    assert verdict(judge, 3, sent_bytes=0.0) == ""


@pytest.fixture
def state(monkeypatch):
    """Lets the test say what the kernel has the worker do."""
    found = {"state": "S"}
    monkeypatch.setattr(load_judge, "process_state", lambda _: found["state"])
    return found


def stuck(request: dict, *, reported_at: float, changed_at: float) -> str:
    """What is said of a worker after three seconds."""
    judge = judge_of(request)
    judge.records[0].last_report_at, judge.records[0].changed_at = reported_at, changed_at
    return judge.why_stuck(judge.records[0], 3.0, 3.0)


@pytest.mark.parametrize(("letter", "said"), [("T", "; it is stopped"), ("D", "; it waits for a disk"), ("S", "")])
def test_a_worker_of_a_rate_that_is_silent_is_stuck_whatever_it_does(state, letter, said):
    state["state"] = letter
    assert stuck(RATE, reported_at=0.9, changed_at=0.9) == f"has not reported for 2.1 s{said}"
    assert stuck(RATE, reported_at=1.1, changed_at=1.1) == ""


def test_a_worker_that_reports_and_does_nothing_is_stuck(state):
    assert stuck(RATE, reported_at=2.9, changed_at=0.5) == "has made no progress for 2.5 s"


@pytest.mark.parametrize("request_", [{**RATE, "unit": "max"}, {**MEMORY, "profile": [[0, 1000]]}])
def test_a_worker_of_no_rate_may_be_silent_unless_it_is_stopped(state, request_):
    assert stuck(request_, reported_at=0.0, changed_at=0.0) == ""
    state["state"] = "T"
    assert stuck(request_, reported_at=0.0, changed_at=0.0) == "has not reported for 3.0 s; it is stopped"


def test_a_worker_for_which_nothing_is_due_is_not_stuck(state):
    pause = {**RATE, "profile": [[0, 1e6], [0.5, 1e6], [0.5, 0]]}
    assert stuck(pause, reported_at=2.9, changed_at=0.5) == ""


def test_a_worker_whose_work_was_due_a_moment_ago_is_not_stuck(state):
    burst = {**RATE, "profile": [[0, 0], [2.9, 0], [2.9, 1e6], [9, 1e6]]}
    assert stuck(burst, reported_at=2.9, changed_at=0.0) == ""
    assert stuck({**burst, "profile": [[0, 0], [0.5, 0], [0.5, 1e6]]}, reported_at=2.9, changed_at=0.0) == (
        "has made no progress for 3.0 s"
    )


def test_what_was_over_when_a_load_was_ready_is_not_asked_of_it():
    judge = judge_of({**RATE, "profile": [[0, 0], [2, 0], [2, 1e6]]})
    judge.late_s = 1.0
    assert judge.figures(3) == {"held_s": 3, "asked_sent_bytes": 2e6}
