"""Label the samples of a run with the tests that they were taken in.

A sample covers the time since the sample before it on its host, and belongs to a test if all of that time lies within
an attempt of the test. So a sample across the start or the end of a test belongs to none, and where several tests run
at once, as with pytest-xdist, it belongs to each of them.

Some columns cover more than the time since the sample before, since their counters are read less often. Where such a
cell of a labelled sample covers time before the test, it is left empty.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pytest_twin.model import event
from pytest_twin.model.columns import WINDOWS
from pytest_twin.model.counter_window import ROUNDING_S, counted_since
from pytest_twin.model.time_axis import TimeOrigin, seconds, time_origin

if TYPE_CHECKING:
    import pandas as pd

MEANINGS = {
    "test": "Node ID of the test within which the time of the sample lies; missing for a sample of no test.",
    "attempt": "Number of the attempt of that test.",
    "worker": "The pytest-xdist worker of that attempt; missing without pytest-xdist.",
}
Places = np.ndarray[Any, np.dtype[np.intp]]


class AttemptSpan(NamedTuple):
    """The time of one attempt of a test, in seconds since the run began."""

    nodeid: str
    attempt: int
    worker: str
    host: str
    start_s: float
    end_s: float

    @property
    def which(self) -> tuple[str, str, str]:
        """What its attempts are counted by."""
        return self.nodeid, self.worker, self.host


class LabelledRows(NamedTuple):
    """The samples of one attempt.

    Attributes:
        label: The index of the attempt.
        places: The indices of the samples.
        foreign: For each window, how many of the first samples have cells that cover time before the attempt.
    """

    label: int
    places: Places
    foreign: dict[float, int]


def label_samples(
    samples: pd.DataFrame, events: pd.DataFrame, tests: pd.DataFrame, nodeid: str | None = None
) -> pd.DataFrame:
    """Return the samples of a run with the columns of `MEANINGS` in front: one row for each sample and attempt.

    Args:
        samples: The samples.
        events: The events of the run.
        tests: Its tests.
        nodeid: A test, whose samples are returned; None returns all samples, one of no test in a row without test.
    """
    since = time_origin([samples, events, tests])
    spans = [] if since is None else attempt_spans(tests, events, since)
    spans = [span for span in spans if nodeid in {None, span.nodeid}]
    groups = [] if since is None else list(_label_rows(samples, spans, since))
    if nodeid is None:
        of_tests = np.concatenate([np.empty(0, np.intp), *(group.places for group in groups)])
        groups.append(LabelledRows(len(spans), np.setdiff1d(np.arange(len(samples)), of_tests), {}))
    places = np.concatenate([np.empty(0, np.intp), *(group.places for group in groups)])
    labels = np.repeat([group.label for group in groups], [len(group.places) for group in groups]).astype(np.intp)
    order = np.lexsort((labels, places))
    frame = samples.iloc[places[order]].drop(columns=list(MEANINGS), errors="ignore")
    for window_s, names in _columns_by_window(frame).items():
        foreign = [np.arange(len(group.places)) < group.foreign.get(window_s, 0) for group in groups]
        is_foreign = np.concatenate([np.empty(0, bool), *foreign])[order]
        if is_foreign.any():
            frame[names] = frame[names].mask(np.broadcast_to(is_foreign[:, None], (len(frame), len(names))))
    return _insert_labels(frame, spans, labels[order])


def _insert_labels(frame: pd.DataFrame, spans: Sequence[AttemptSpan], labels: Places) -> pd.DataFrame:
    """Insert the columns of `MEANINGS`; the label after the last is that of samples of no test."""
    import pandas as pd

    columns = {
        "test": pd.Series([*(span.nodeid for span in spans), None], dtype=object),
        "attempt": pd.Series([*(span.attempt for span in spans), None], dtype="Int64"),
        "worker": pd.Series([*(span.worker or None for span in spans), None], dtype=object),
    }
    for place, (name, values) in enumerate(columns.items()):
        frame.insert(place, name, values.iloc[labels].array)
    for name, texts in (("units", dict.fromkeys(MEANINGS, "")), ("meanings", MEANINGS)):
        frame.attrs[name] = {**texts, **frame.attrs.get(name, {})}
    return frame


def attempt_spans(tests: pd.DataFrame, events: pd.DataFrame, since: TimeOrigin) -> list[AttemptSpan]:
    """Return the attempts of all tests in the order of their starts.

    They are those of tests.csv; the events tell of those that have no row there: in the folder of one test, and of a
    run that was killed.
    """
    names = ("nodeid", "attempt", "worker", "host", "duration_s")
    rows = zip(seconds(tests, since).tolist(), *(cells(tests, name) for name in names), strict=True)
    found = [
        AttemptSpan(nodeid or "", int(number or 1), worker or "", host or "", start, start + (duration or 0.0))
        for start, nodeid, number, worker, host, duration in rows
    ]
    known = Counter(span.which for span in found)
    found += (span for span in _spans_of_events(events, since) if span.attempt > known[span.which])
    return sorted(found, key=lambda span: span.start_s)


def _spans_of_events(events: pd.DataFrame, since: TimeOrigin) -> Iterator[AttemptSpan]:
    """Yield the attempts that the events tell of; one without an end lasts to the end of the run."""
    if "type" not in events:
        return
    events = events[events["type"] == event.TEST]
    names = ("event", "id", "test", "worker", "host")
    running: dict[tuple[str, str], AttemptSpan] = {}
    attempts = Counter[tuple[str, str, str]]()
    rows = zip(seconds(events, since).tolist(), *(cells(events, name) for name in names), strict=True)
    for at, what, name, *which in rows:
        nodeid, worker, host = (cell or "" for cell in which)
        if what != event.START:
            if (name, host) in running:
                yield running.pop((name, host))._replace(end_s=at)
            continue
        attempts[nodeid, worker, host] += 1
        running[name, host] = AttemptSpan(nodeid, attempts[nodeid, worker, host], worker, host, at, np.inf)
    yield from running.values()


def _label_rows(samples: pd.DataFrame, spans: Sequence[AttemptSpan], since: TimeOrigin) -> Iterator[LabelledRows]:
    """Yield the samples of each attempt."""
    times_of_all, hosts = seconds(samples, since), np.array([host or "" for host in cells(samples, event.HOST)])
    windows = [window_s for window_s in _columns_by_window(samples) if window_s > 0]
    for host in {span.host for span in spans}:
        own = np.flatnonzero(hosts == host)
        own = own[np.argsort(times_of_all[own], kind="stable")]
        times = times_of_all[own]
        listed, begins = times.tolist(), np.concatenate([[-np.inf], times[:-1]])[: len(times)]
        for label, span in enumerate(spans):
            if span.host == host:
                first = int(np.searchsorted(begins, span.start_s - ROUNDING_S))
                after = max(first, int(np.searchsorted(times, span.end_s + ROUNDING_S, side="right")))
                foreign = {each: _count_foreign(listed, first, after, span.start_s, each) for each in windows}
                yield LabelledRows(label, own[first:after], foreign)


def _count_foreign(times: Sequence[float], first: int, after: int, start_s: float, window_s: float) -> int:
    """Return how many of the first rows have cells that cover time before the start of the attempt."""
    row = first
    while row < after and counted_since(times, row, window_s) < start_s - ROUNDING_S:
        row += 1
    return row - first


def _columns_by_window(samples: pd.DataFrame) -> dict[float, list[str]]:
    found: dict[float, list[str]] = {}
    for name, window_s in samples.attrs.get(WINDOWS, {}).items():
        if name in samples:
            found.setdefault(window_s, []).append(name)
    return found


def cells(frame: pd.DataFrame, name: str) -> list[Any]:
    """Return the cells of a column, None where they are missing."""
    if name not in frame:
        return [None] * len(frame)
    found: list[Any] = frame[name].astype(object).where(frame[name].notna(), None).tolist()
    return found
