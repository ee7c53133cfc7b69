"""Which loads overlapped a test, by the events of its run: those of the session's schedule, or of another test."""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from pytest_twin.model import event

Row = Mapping[str, str]


class LoadSpan(NamedTuple):
    """A load as the events tell of it.

    Attributes:
        words: What was asked, as a load is written.
        test: The test that it belongs to; empty for all.
        is_scheduled: Whether it is of the session's schedule.
        host: Where it was.
        began: When it was there, in seconds since the run began.
        ended: When it was gone; infinity where that is not told.
    """

    words: str
    test: str
    is_scheduled: bool
    host: str
    began: float
    ended: float


class Execution(NamedTuple):
    """An attempt of a test, with what is known already of what it ran under."""

    nodeid: str
    host: str
    began: float
    ended: float
    load: str


def applied_loads(events: Iterable[Row], keywords: Mapping[str, str], scheduled: Container[str]) -> list[LoadSpan]:
    """The loads of a run, in the order in which they came.

    Args:
        events: Rows of annotations.csv.
        keywords: The keyword that asks for loads of a type.
        scheduled: The ids of the events of the session's schedule.
    """
    found: dict[str, LoadSpan] = {}
    for row in events:
        if not row["target"]:
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
    """The ids that an event may have in the schedule of the session: its rows have its turn and its part behind it."""
    name = row["id"].removeprefix(f"{row['worker']}-" if row["worker"] else "")
    of, _, turn = name.rpartition("~")
    for whole in (name, of) if turn.isdecimal() else (name,):
        yield from (whole, whole.rpartition("/")[0])


def add_overlapping_loads(tests: Sequence[Execution], loads: Sequence[LoadSpan]) -> list[str]:
    """What each of these tests ran under: what is known of it, and what else overlapped it on its host.

    Args:
        tests: The tests.
        loads: The loads of the run, in the order in which they came.
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
        others = {load.words for load in there if _is_foreign(load, test)}
        known = f" {test.load} "
        found[place] = " ".join(filter(None, (test.load, *sorted(each for each in others if f" {each} " not in known))))
    return found


def _is_foreign(load: LoadSpan, test: Execution) -> bool:
    """Whether a load overlapped a test that did not ask for it itself."""
    is_own = load.test == test.nodeid and not load.is_scheduled
    return load.began < test.ended and load.host == test.host and not is_own
