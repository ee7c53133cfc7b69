"""What lasted: the tests, loads, phases and gaps of annotations.csv, each from its start to its end."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pytest_twin.model import event
from pytest_twin.model.attempt_row import UNFINISHED

if TYPE_CHECKING:
    import pandas as pd

Values = np.ndarray[Any, np.dtype[np.float64]]
AGREE_S = 0.002  # a time of the calendar is written to the millisecond

NO_LOADS = frozenset({event.TEST, event.PHASE, event.GAP, event.NOTE})


class RunSpan(NamedTuple):
    """Something that began and, mostly, ended.

    Attributes:
        start_s: When it began, in seconds since the run did.
        end_s: When it ended; the end of the run for what has none.
        type: ``test``, ``phase``, ``gap`` or a load's kind.
        what: The node id of a test, what was asked of a load, the name of a phase, the reason of a gap.
        test: The test that it belongs to, empty for none.
        worker: The pytest-xdist worker, empty without.
        state: ``end``, ``abort``, or ``unfinished`` where the run has no end of it.
        achieved: What a load came to, in the unit of what was asked.
        detail: The fields of its last row; ``text`` where that is no object.
        host: Where it was, empty for pytest's own host.
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
        """Whether it was applied, and did not just happen."""
        return self.type not in NO_LOADS


class Note(NamedTuple):
    """Something that was noted at a moment.

    Attributes:
        at_s: When, in seconds since the run began.
        what: The text, with its fields.
        test: The test that it belongs to, empty for none.
        worker: The pytest-xdist worker, empty without.
        host: Where it was, empty for pytest's own host.
    """

    at_s: float
    what: str
    test: str
    worker: str
    host: str = ""


class TimeOrigin(NamedTuple):
    """Where the time of a run begins.

    Attributes:
        at: By the calendar, to the millisecond.
        elapsed_s: By the run's own seconds, which are finer; NaN where there are none.
    """

    at: pd.Timestamp
    elapsed_s: float


def time_origin(frames: Sequence[pd.DataFrame]) -> TimeOrigin | None:
    """The first time that stands in any of these frames; None where none has a row."""
    found = [frame for frame in frames if len(frame)]
    if not found:
        return None
    first = min(frame.index.min() for frame in found)
    shifts = np.concatenate([_own(frame) - _calendar(frame, first) for frame in found])
    known = shifts[~np.isnan(shifts)]
    return TimeOrigin(first, float(np.median(known)) if len(known) else np.nan)


def seconds(frame: pd.DataFrame, since: TimeOrigin) -> Values:
    """The times of the rows, in seconds; a row whose own seconds count from elsewhere goes by the calendar."""
    calendar, own = _calendar(frame, since.at), _own(frame) - since.elapsed_s
    return np.maximum(np.where(np.abs(own - calendar) < AGREE_S, own, calendar), 0.0)


def _calendar(frame: pd.DataFrame, since: pd.Timestamp) -> Values:
    index: Any = frame.index
    times: Values = (index - since).total_seconds().to_numpy(float)
    return times


def _own(frame: pd.DataFrame) -> Values:
    if "elapsed_s" not in frame:
        return np.full(len(frame), np.nan)
    times: Values = frame["elapsed_s"].to_numpy(dtype=float, na_value=np.nan)
    return times


def spans(events: pd.DataFrame, since: TimeOrigin, last_s: float) -> list[RunSpan]:
    """What lasted, in the order of the starts.

    Args:
        events: The rows of annotations.csv.
        since: When the run began.
        last_s: When it ended, in seconds: what has no end of its own ends there.
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
    """What was noted, in the order of time."""
    return [
        Note(at, fields_text(fields(row["detail"])), row["test"], row["worker"], row["host"])
        for at, row in _rows(events[events["event"] == event.NOTE], since)
    ]


def fields(detail: str) -> dict[str, Any]:
    """The cell `detail`: its object, or its text as the field ``text``."""
    if detail.startswith("{"):
        try:
            found = json.loads(detail)
        except ValueError:
            found = None
        if isinstance(found, dict):
            return found
    return {"text": detail} if detail else {}


def fields_text(detail: Mapping[str, Any]) -> str:
    """Fields for people: the text, then what else there is."""
    rest = [f"{name} {value}" for name, value in detail.items() if name != "text"]
    return ", ".join([*([str(detail["text"])] if "text" in detail else []), *rest])


def _rows(events: pd.DataFrame, since: TimeOrigin) -> list[tuple[float, dict[str, str]]]:
    """Each row with its time; what is missing is empty text."""
    names = [name for name in event.FIELDS if name in events and name not in {"timestamp", "elapsed_s"}]
    columns = [events[name].astype(object).where(events[name].notna(), "").tolist() for name in names]
    empty = dict.fromkeys(event.FIELDS, "")
    return [
        (at, {**empty, **dict(zip(names, cells, strict=True))})
        for at, *cells in zip(seconds(events, since).tolist(), *columns, strict=True)
    ]


def _span(begin: float, first: Mapping[str, str], end: float, last: Mapping[str, str]) -> RunSpan:
    detail = fields(last["detail"])
    if first["type"] == event.TEST:
        what = first["test"]
    else:
        what = first["target"] or str(fields(first["detail"]).get("text", ""))
    return RunSpan(
        begin, end, first["type"], what, first["test"], first["worker"], last["event"], last["achieved"], detail,
        first["host"],
    )  # fmt: skip
