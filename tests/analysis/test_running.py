"""What is running at a moment."""

from __future__ import annotations

import csv
import io

from pytest_twin.analysis.run.running import EndCounts, EventTracker, RunningItem, upcoming_loads
from pytest_twin.loads.schedule.parser import parse_schedule
from pytest_twin.model.clock import Clock
from pytest_twin.model.event import ABORT, END, FIELDS, GAP, NOTE, PHASE, SKIP, START, TEST, Event
from pytest_twin.model.machine_formats.parser import parse_text
from pytest_twin.stressors import find_kinds

CLOCK = Clock(0.0, 1_700_000_000.0)


def row(at, what, number="", clock=CLOCK, **fields):
    text = Event(at, what, number, **fields).row(clock)
    return next(csv.DictReader(io.StringIO(text), FIELDS))


def events_of(*rows, **settings):
    events = EventTracker(**settings)
    for each in rows:
        events.add(each)
    return events


def test_what_has_begun_and_not_ended_is_running():
    events = events_of(
        row(2.5, START, "l1", type="cpu", target="75%", test="a.py::test"),
        row(2, START, "gw0-t1", type=TEST, test="a.py::test", worker="gw0"),
        row(3, START, "p1", type=PHASE, detail="warm-up"),
    )
    assert events.running == [
        RunningItem(2, "test", "a.py::test", "gw0"),
        RunningItem(2.5, "cpu", "75%", ""),
        RunningItem(3, "phase", "warm-up", ""),
    ]


def test_an_end_takes_away_the_start_of_its_id():
    same = {"type": "cpu", "target": "75%"}
    events = events_of(row(1, START, "l1", **same), row(2, START, "l2", **same), row(3, END, "l1", **same))
    assert [each.since_s for each in events.running] == [2]


def test_an_abort_is_an_end_too():
    events = events_of(row(1, START, "l1", type="cpu"), row(2, ABORT, "l1", type="cpu"))
    assert (events.running, events.ended) == ([], EndCounts(0, 1, 1))


def test_an_end_without_a_start_ends_nothing():
    assert events_of(row(1, START, "t1", type=TEST), row(2, END, "t2", type=TEST)).running[0].since_s == 1


def test_tests_and_loads_that_are_over_are_counted():
    events = events_of(
        row(1, END, "t1", type=TEST),
        row(1, END, "p1", type=PHASE),
        row(1, END, "g1", type=GAP),
        row(1, END, "l1", type="cpu"),
        row(2, SKIP, "l2", type="memory"),
        row(2, SKIP, type="memory", detail='{"reason": "not reached", "loads": 70}'),
        row(3, NOTE),
    )
    assert events.ended == EndCounts(tests=1, loads=72, aborted=0)


def test_a_file_that_is_begun_anew_is_the_whole_story():
    events = events_of(row(1, START, "t1", type=TEST), row(2, END, "l1", type="cpu"))
    events.begin()
    assert (events.running, events.ended) == ([], EndCounts())


def test_what_a_run_that_was_killed_left_open_is_not_running_in_the_next():
    later = Clock(0.0, CLOCK.epoch + 100)
    events = events_of(row(1, START, "l1", type="cpu"), row(1, START, "l2", later, type="disk"))
    assert [each.type for each in events.running] == ["disk"]


def test_events_of_another_run_in_the_same_file_are_left_out():
    assert events_of(row(1, START, "l1", type="cpu"), epoch=CLOCK.epoch + 100).running == []


def test_an_event_without_a_time_is_left_out():
    assert events_of({**row(1, START, "l1", type="cpu"), "elapsed_s": ""}).running == []


def test_what_a_schedule_has_ahead_comes_soonest_first():
    text = '{"events": [{"start": 9, "duration": 1, "mem": 5}, {"start": 4, "duration": 9, "cpu": 1, "ramp": "1s"}]}'
    plan = parse_schedule(text, "plan.json", find_kinds(), parse_text)
    assert list(upcoming_loads(plan, 1.5)) == [(2.5, "cpu=1 ramp=1s"), (7.5, "mem=5")]
    assert list(upcoming_loads(plan, 4)) == [(5, "mem=5")]
    assert list(upcoming_loads(plan, 9)) == []
