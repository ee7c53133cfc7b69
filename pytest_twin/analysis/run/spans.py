"""Spans of time in annotations.csv, from start to end: tests, loads, phases and gaps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_twin.model import event
from pytest_twin.model.attempt_row import UNFINISHED
from pytest_twin.model.time_axis import TimeOrigin, seconds

if TYPE_CHECKING:
    import pandas as pd

NO_LOADS = frozenset({event.TEST, event.PHASE, event.GAP, event.NOTE})


class RunSpan(NamedTuple):
    """Something with a start and, usually, an end.

    Attributes:
        start_s: Its start, in seconds since the run began.
        end_s: Its end; the end of the run if it has none.
        type: ``test``, ``phase``, ``gap`` or a load's kind.
        what: The node id of a test, the requested amount of a load, the name of a phase, or the reason of a gap.
        test: The test that it belongs to, empty for none.
        worker: The pytest-xdist worker, empty without.
        state: ``end``, ``abort``, or ``unfinished`` if it has no end.
        achieved: The achieved amount of a load, in the unit of the request.
        detail: The fields of its last row; ``text`` if the cell is not a JSON object.
        host: Its host; empty for pytest's own.
    """

    start_s: float
    end_s: float
    type: str
    what: str
    test: str
    worker: str
    state: str
    achieved: str
    detail: Mapping[str, Any]
    host: str = ""

    @property
    def is_load(self) -> bool:
        """Whether it is a load."""
        return self.type not in NO_LOADS


class Note(NamedTuple):
    """A note at a moment.

    Attributes:
        at_s: Its time, in seconds since the run began.
        what: Its text, with its fields.
        test: The test that it belongs to, empty for none.
        worker: The pytest-xdist worker, empty without.
        host: Its host; empty for pytest's own.
    """

    at_s: float
    what: str
    test: str
    worker: str
    host: str = ""


def spans(events: pd.DataFrame, since: TimeOrigin, last_s: float) -> list[RunSpan]:
    """Return the spans in the order of their starts.

    Args:
        events: The rows of annotations.csv.
        since: The origin of the run.
        last_s: The end of the run in seconds: a span without an end ends there.
    """
    running: dict[tuple[str, str], tuple[float, Mapping[str, str]]] = {}
    found = []
    for at, row in _rows(events, since):
        key = row["type"], row["id"]
        if row["event"] == event.START:
            if key in running:  # a recording that was appended to: the run before it never ended this one
                found.append(_span(*running.pop(key), at, {**row, "event": UNFINISHED, "achieved": "", "detail": ""}))
            running[key] = at, row
        elif row["event"] in {event.END, event.ABORT}:
            begin, first = running.pop(key, (at, row))
            found.append(_span(begin, first, at, row))
    cut = {"event": UNFINISHED, "achieved": "", "detail": ""}
    found += [_span(begin, first, max(begin, last_s), {**first, **cut}) for begin, first in running.values()]
    return sorted(found, key=lambda span: (span.start_s, -span.end_s))


def notes(events: pd.DataFrame, since: TimeOrigin) -> list[Note]:
    """Return the notes in time order."""
    return [
        Note(at, fields_text(event.detail_fields(row["detail"])), row["test"], row["worker"], row["host"])
        for at, row in _rows(events[events["event"] == event.NOTE], since)
    ]


def fields_text(detail: Mapping[str, Any]) -> str:
    """Return fields as text for people: the text, then the other fields."""
    rest = [f"{name} {value}" for name, value in detail.items() if name != "text"]
    return ", ".join([*([str(detail["text"])] if "text" in detail else []), *rest])


def _rows(events: pd.DataFrame, since: TimeOrigin) -> list[tuple[float, dict[str, str]]]:
    """Yield each row with its time; a missing cell is an empty text."""
    names = [name for name in event.FIELDS if name in events and name not in {"timestamp", "elapsed_s"}]
    texts = [events[event.ACHIEVED_TEXT if name == event.ACHIEVED else name] for name in names]
    columns = [text.astype(object).where(text.notna(), "").tolist() for text in texts]
    empty = dict.fromkeys(event.FIELDS, "")
    return [
        (at, {**empty, **dict(zip(names, cells, strict=True))})
        for at, *cells in zip(seconds(events, since).tolist(), *columns, strict=True)
    ]


def _span(begin: float, first: Mapping[str, str], end: float, last: Mapping[str, str]) -> RunSpan:
    detail = event.detail_fields(last["detail"])
    if first["type"] == event.TEST:
        what = first["test"]
    else:
        what = first["target"] or str(event.detail_fields(first["detail"]).get("text", ""))
    return RunSpan(
        begin, end, first["type"], what, first["test"], first["worker"], last["event"], last["achieved"], detail,
        first["host"],
    )  # fmt: skip
