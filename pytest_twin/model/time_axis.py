"""The time axis of a run: the rows of all of its tables in seconds since it began."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

Values = np.ndarray[Any, np.dtype[np.float64]]
AGREE_S = 0.002  # a time of the calendar is written to the millisecond


class TimeOrigin(NamedTuple):
    """The origin of the time axis of a run.

    Attributes:
        at: By the calendar, to the millisecond.
        elapsed_s: By the elapsed seconds of the run, which are finer; NaN if there are none.
    """

    at: pd.Timestamp
    elapsed_s: float


def time_origin(frames: Sequence[pd.DataFrame]) -> TimeOrigin | None:
    """Return the earliest time in these frames; None if none has a row."""
    found = [frame for frame in frames if len(frame)]
    if not found:
        return None
    first = min(frame.index.min() for frame in found)
    shifts = np.concatenate([_own(frame) - _calendar(frame, first) for frame in found])
    known = shifts[~np.isnan(shifts)]
    return TimeOrigin(first, float(np.median(known)) if len(known) else np.nan)


def seconds(frame: pd.DataFrame, since: TimeOrigin) -> Values:
    """Return the times of rows in seconds; a row with elapsed seconds of another origin is placed by the calendar."""
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
