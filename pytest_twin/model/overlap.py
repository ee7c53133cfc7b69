"""The loads that overlapped a test, from the events of its run: those of the session's schedule or of another test."""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from pytest_twin.model import event

Row = Mapping[str, str]


class LoadSpan(NamedTuple):
    """A load with its start and end, from the events.

    Attributes:
        words: The requested load as text.
        test: The test that it belongs to; empty for all tests.
        is_scheduled: Whether it comes from the session's schedule.
        host: Its host.
        began: Its start, in seconds since the run began.
        ended: Its end; infinity if unknown.
    """

    words: str
    test: str
    is_scheduled: bool
    host: str
    began: float
    ended: float


class Execution(NamedTuple):
    """An attempt of a test, with the load that is already known for it."""

    nodeid: str
    host: str
    began: float
    ended: float
    load: str


def applied_loads(events: Iterable[Row], keywords: Mapping[str, str], scheduled: Container[str]) -> list[LoadSpan]:
    """Return the loads of a run, in the order of their starts.

    Args:
        events: Rows of annotations.csv.
        keywords: The keyword of the loads of each type.
        scheduled: The ids of the events of the session's schedule.
    """
    found: dict[str, LoadSpan] = {}
    for row in events:
        if not row["target"] or row["type"] == event.CONSTRAINT:  # a constraint has a column of its own
            continue
        at = float(row["elapsed_s"])
        if row["event"] == event.START:
            words = f"{keywords.get(row['type'], row['type'])}={row['target']}"
            is_scheduled = any(name in scheduled for name in _schedule_ids(row))
            found[row["id"]] = LoadSpan(words, row["test"], is_scheduled, row.get("host") or "", at, math.inf)
        elif row["event"] in {event.END, event.ABORT} and row["id"] in found:
            found[row["id"]] = found[row["id"]]._replace(ended=at)
    return sorted(found.values(), key=lambda load: load.began)


def _schedule_ids(row: Row) -> Iterator[str]:
    """Yield the ids that an event may have in the session's schedule: its rows add its repetition and its part."""
    name = row["id"].removeprefix(f"{row['worker']}-" if row["worker"] else "")
    of, _, turn = name.rpartition("~")
    for whole in (name, of) if turn.isdecimal() else (name,):
        yield from (whole, whole.rpartition("/")[0])


def add_overlapping_loads(tests: Sequence[Execution], loads: Sequence[LoadSpan]) -> list[str]:
    """Return for each test its known load, with the other loads that overlapped it on its host.

    Args:
        tests: The tests.
        loads: The loads of the run, in the order of their starts.
    """
    found = [test.load for test in tests]
    there: list[LoadSpan] = []
    left = 0
    for place in sorted(range(len(tests)), key=lambda place: tests[place].began):
        test = tests[place]
        while left < len(loads) and loads[left].began < test.ended:
            there.append(loads[left])
            left += 1
        there = [load for load in there if load.ended > test.began]
        if not there:
            continue
        others = {load.words for load in there if _is_foreign(load, test)}
        known = f" {test.load} "
        found[place] = " ".join(filter(None, (test.load, *sorted(each for each in others if f" {each} " not in known))))
    return found


def _is_foreign(load: LoadSpan, test: Execution) -> bool:
    """Tell whether a load overlapped a test that did not request it."""
    is_own = load.test == test.nodeid and not load.is_scheduled
    return load.began < test.ended and load.host == test.host and not is_own
