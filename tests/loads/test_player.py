"""Playing a schedule, through a supervisor that only counts."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from pytest_twin._system.error_guard import ErrorGuard
from pytest_twin.loads.parser import parse_load
from pytest_twin.loads.player import MAX_PENDING, MAX_SKIP_ROWS, SchedulePlayer
from pytest_twin.loads.schedule.schedule import Schedule, ScheduledLoad
from pytest_twin.stressors import find_kinds
from pytest_twin.stressors.spec.request import ON_TIME, REPLAY

CPU, BOTH = parse_load({"cpu": 1}, find_kinds()), parse_load({"cpu": 1, "mem": 5}, find_kinds())


class Load:
    """One that ended at once."""

    ended_at, failure, problem = 0.0, "", ""

    def __init__(self, part, waited):
        self.part, self.waited = part, waited

    def wait_ready(self):
        self.waited.append(self.part.text)
        return True

    def ask_to_stop(self, *, is_timed=False):
        pass

    wait_gone = ask_to_stop


class Loads:
    """What a player asks of a recording, whose time of loads is set by hand."""

    def __init__(self):
        self.now, self.asked, self.rows, self.guard = 0.0, [], [], ErrorGuard(self.note)
        self.notes, self.waited, self.options = [], [], []

    def note(self, text):
        self.notes.append(text)

    def apply(self, part, request, **_):
        self.asked.append((request.id, request.start))
        self.options.append(request.options)
        return Load(part, self.waited)

    def load_time(self):
        return self.now

    def write_skip(self, number, kind, target, reason, *, test="", loads=1):
        self.rows.append((number, kind, target, reason, test, loads))


def plan(count, *, every=0.01, load=CPU, tests=""):
    return Schedule(tuple(ScheduledLoad(f"e{at}", at * every, 1.0, load, tests) for at in range(count)))


def wait_until(happened, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not happened() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert happened()


@pytest.fixture
def loads():
    return Loads()


def test_of_a_long_schedule_only_what_comes_next_is_asked_for(loads):
    player = SchedulePlayer(plan(100_000), loads)
    player.start(0.0)
    loads.now = 1.0
    time.sleep(0.3)
    player.stop()
    assert len(loads.asked) == MAX_PENDING


def test_a_short_schedule_is_asked_for_at_once(loads):
    player = SchedulePlayer(plan(MAX_PENDING, every=1000.0), loads)
    player.start(0.0)
    assert len(loads.asked) == MAX_PENDING
    assert player.over


def test_more_is_asked_for_before_it_begins_and_all_of_it_in_the_end_each_once_and_with_its_time(loads):
    events, loads.now = plan(5 * MAX_PENDING, every=0.0004), 100.0  # its thread waits for as long as is left
    player = SchedulePlayer(events, loads)
    player.start(100.0)
    for at in range(0, 5 * MAX_PENDING, MAX_PENDING // 4):
        loads.now = 100.0 + events.events[at].start_s
        ahead = min(at + MAX_PENDING // 2, len(events.events))
        wait_until(lambda ahead=ahead: len(loads.asked) >= ahead)
        assert len(loads.asked) <= at + MAX_PENDING
    wait_until(lambda: player.over)
    player.stop()
    assert loads.asked == [(event.id, 100.0 + event.start_s) for event in events.events]
    assert loads.rows == []


def test_nothing_more_is_asked_for_while_the_time_of_loads_stands_still(loads):
    player = SchedulePlayer(plan(10_000, every=0.0001), loads)  # all of it is over in a second
    player.start(0.0)
    time.sleep(1.2)
    player.stop()
    assert len(loads.asked) == MAX_PENDING


def test_all_that_begins_at_once_is_asked_for_at_once(loads):
    player = SchedulePlayer(plan(3 * MAX_PENDING, every=0.0), loads)
    player.start(0.0)
    assert len(loads.asked) == 3 * MAX_PENDING


@pytest.mark.parametrize(("load", "kinds"), [(CPU, ["cpu"]), (BOTH, ["cpu", "memory"])])
def test_many_loads_that_were_never_reached_are_a_row_a_kind_that_says_how_many(loads, load, kinds):
    player = SchedulePlayer(plan(100_000, load=load), loads, test="test_a.py::test_a", prefix="a1/")
    player.start(0.0)
    player.stop()
    reason, left = "not reached before the end", 100_000 - MAX_PENDING
    assert loads.rows == [("", kind, "", reason, "test_a.py::test_a", left) for kind in kinds]


def test_few_that_were_never_reached_have_a_row_each(loads):
    player = SchedulePlayer(plan(MAX_PENDING + MAX_SKIP_ROWS), loads, prefix="gw0-")
    player.start(0.0)
    player.stop()
    assert [row[0] for row in loads.rows] == [f"gw0-e{MAX_PENDING + at}" for at in range(MAX_SKIP_ROWS)]
    assert {row[1:] for row in loads.rows} == {("cpu", "1", "not reached before the end", "", 1)}


def test_many_events_for_tests_that_never_ran_are_one_row(loads):
    player = SchedulePlayer(plan(1000, tests="none*"), loads)
    player.start(0.0)
    player.start_test("test_a.py::test_a", 0.0)
    player.stop()
    assert loads.rows == [("", "cpu", "", "no test that it selects ran within its time", "", 1000)]


@pytest.mark.parametrize("strict", [True, False])
def test_a_test_begins_when_the_events_for_it_that_must_hold_are_ready(loads, strict):
    load = parse_load({"cpu": 2, "strict": strict}, find_kinds())
    player = SchedulePlayer(plan(1, load=load, tests="*::test_a"), loads)
    player.start(0.0)
    player.start_test("test_it.py::test_b", 0.0)
    assert loads.waited == []
    player.start_test("test_it.py::test_a", 0.0)
    assert loads.waited == (["2"] if strict else [])
    player.stop()


def test_an_error_while_more_is_asked_for_is_kept_from_the_tests_and_the_rest_counts_as_not_reached(loads):
    player = SchedulePlayer(plan(10 * MAX_PENDING), loads)
    player.start(0.0)
    loads.apply = None  # which cannot be called
    loads.now = 1000.0
    wait_until(lambda: player.over)
    player.stop()
    assert len(loads.notes) == 1
    assert sum(row[-1] for row in loads.rows) + len(loads.asked) >= 10 * MAX_PENDING - 1


def test_where_there_are_no_more_threads_all_is_asked_for_at_once(loads, monkeypatch):
    def no_thread(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("pytest_twin.loads.player.run_in_background", no_thread)
    player = SchedulePlayer(plan(3 * MAX_PENDING), loads)
    player.start(0.0)
    assert len(loads.asked) == 3 * MAX_PENDING


@pytest.mark.parametrize("test", ["", "tests/test_a.py::test_b"])
def test_the_loads_of_a_replay_are_on_one_clock_and_know_each_other(loads, test):
    parts = tuple(replace(part, options={REPLAY: True}) for part in BOTH.parts)
    player = SchedulePlayer(plan(1, load=replace(BOTH, parts=parts)), loads, test=test)
    player.start(at=0.0)
    assert loads.options == [{REPLAY: "e0~1", ON_TIME: not test, "strict": False}] * 2
