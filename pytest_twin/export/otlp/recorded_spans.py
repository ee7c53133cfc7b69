"""The rows of annotations.csv as pairs of start and end, with their times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pytest_twin.export.otlp.run_rows import Row, RunRows, event_time
from pytest_twin.model import event
from pytest_twin.model.attempt_row import UNFINISHED


class RecordedSpan(NamedTuple):
    """Something that began, and usually ended.

    Attributes:
        start: Its start in nanoseconds since 1970.
        end: Its end; None if it has none.
        first: The row of its start.
        state: ``end``, ``abort`` or ``unfinished``.
        achieved: The achieved amount of a load.
        fields: The fields of its last row.
    """

    start: int
    end: int | None
    first: Row
    state: str
    achieved: str
    fields: Mapping[str, Any]


class RecordedMoment(NamedTuple):
    """A note, or a load that was skipped, with its time in nanoseconds since 1970."""

    at: int
    row: Row
    fields: Mapping[str, Any]


def pair_events(run: RunRows) -> Iterator[RecordedSpan]:
    """Yield what began, in the order of the ends.

    Of a test that has a row in tests.csv, only that row counts.
    """
    running: dict[tuple[str, str], Row] = {}
    for row in run.events:
        key = row.get("type", ""), row.get("id", "")
        what = row.get("event")
        if what == event.START:
            if key in running:  # of a run before that was killed, to which this one was appended
                yield from _cut(run, running[key])
            running[key] = row
        elif what in {event.END, event.ABORT}:
            first: Row = running.pop(key, row)
            if key[0] == event.TEST and run.tests:
                continue
            start, end = run.axis.ns(*event_time(first)), run.axis.ns(*event_time(row))
            if start is not None and end is not None:
                fields = event.detail_fields(row.get("detail", ""))
                yield RecordedSpan(start, max(start, end), first, str(what), row.get("achieved", ""), fields)
    for left in running.values():
        yield from _cut(run, left)


def _cut(run: RunRows, row: Row) -> Iterator[RecordedSpan]:
    if (start := run.axis.ns(*event_time(row))) is not None:
        yield RecordedSpan(start, None, row, UNFINISHED, "", {})


def moments(run: RunRows) -> Iterator[RecordedMoment]:
    """Yield the notes and the skipped loads."""
    for row in run.events:
        if row.get("event") in {event.NOTE, event.SKIP} and (at := run.axis.ns(*event_time(row))) is not None:
            yield RecordedMoment(at, row, event.detail_fields(row.get("detail", "")))
