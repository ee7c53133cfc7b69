"""The attempts of tests in a run: exact figures, unfinished tests, and a small curve of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pytest_twin.analysis.run.spans import RunSpan
from pytest_twin.model import event
from pytest_twin.model.attempt_failure import AttemptKey
from pytest_twin.model.attempt_row import BAD, INTERRUPTED, UNFINISHED, circumstances
from pytest_twin.model.column_figures import LEAST_COVERED
from pytest_twin.model.time_axis import TimeOrigin, Values, seconds

if TYPE_CHECKING:
    import pandas as pd

FEWEST, MOST = 2, 24  # samples of a small curve that are within the test, points of it


class AttemptSummary(NamedTuple):
    """One attempt of one test; an unknown figure is None.

    Attributes:
        nodeid: The test.
        number: The number of the attempt, from 1.
        worker: The pytest-xdist worker, empty without.
        outcome: As in tests.csv, or ``unfinished``.
        start_s: Start, in seconds since the run began.
        duration_s: Duration, including set-up, teardown and the time to apply a load.
        setup_s: Wall time of the set-up.
        call_s: Wall time of the test itself.
        teardown_s: Wall time of the teardown.
        cpu_s: CPU seconds of the test process and its children.
        peak_memory_MB: Highest resident memory of the test process.
        memory_growth_MB: The peak minus the resident memory at the start of the test.
        memory_kept_MB: Resident memory after the test minus that at its start.
        read_MB: MiB read from disks.
        written_MB: MiB written to disks.
        load: The load and the constraints that it ran under.
        folder: Its folder in the run folder; empty for none.
        budget: ``ok``, or the limits that were exceeded or inconclusive; empty without a budget.
        host: Its host; empty for pytest's own.
        throttled_s: Time for which constraints on CPU time made it wait.
        cpu_wait_s: Time for which its thread waited for a CPU.
    """

    nodeid: str
    number: int
    worker: str
    outcome: str
    start_s: float
    duration_s: float
    setup_s: float | None
    call_s: float | None
    teardown_s: float | None
    cpu_s: float | None
    peak_memory_MB: float | None  # noqa: N815 - as the column is called
    memory_growth_MB: float | None  # noqa: N815
    memory_kept_MB: float | None  # noqa: N815
    read_MB: float | None  # noqa: N815
    written_MB: float | None  # noqa: N815
    load: str
    folder: str
    budget: str
    host: str = ""
    throttled_s: float | None = None
    cpu_wait_s: float | None = None

    @property
    def end_s(self) -> float:
        """Its end, in seconds since the run began."""
        return self.start_s + self.duration_s

    @property
    def key(self) -> AttemptKey:
        """What it is known by in all files of a run."""
        return self.host, self.nodeid, self.worker, self.number

    @property
    def is_bad(self) -> bool:
        """Whether it needs attention."""
        return self.outcome in BAD


def attempts(tests: pd.DataFrame, since: TimeOrigin, spans: Sequence[RunSpan]) -> list[AttemptSummary]:
    """Return the attempts of a run in the order of their starts, including unfinished ones.

    If there are no rows of tests, such as in the folder of one test, the events are used.

    Args:
        tests: The rows of tests.csv.
        since: When the run began.
        spans: The spans of the run.
    """
    cpu = _sum_known(tests, ("cpu_user_s", "cpu_system_s"), ("children_cpu_s",))
    names = ("nodeid", "attempt", "worker", "outcome", "duration_s", "setup_s", "call_s", "teardown_s",
             "peak_memory_MB", "memory_growth_MB", "memory_kept_MB", "read_MB", "written_MB", "load", "folder",
             "budget", "host", "constraint", "throttled_s", "cpu_wait_s")  # fmt: skip
    columns = [_cells(tests, name) for name in names]
    found = [
        AttemptSummary(
            nodeid or "", int(number or 1), worker or "", outcome or "", start, duration or 0.0, setup, call, teardown,
            used, peak, growth, kept, read, written, circumstances(load or "", constraint or ""), folder or "",
            budget or "", host or "", throttled, waited,
        )
        for start, used, nodeid, number, worker, outcome, duration, setup, call, teardown, peak, growth, kept, read,
        written, load, folder, budget, host, constraint, throttled, waited
        in zip(seconds(tests, since).tolist(), cpu, *columns, strict=True)
    ]  # fmt: skip
    unrecorded = [span for span in spans if span.type == event.TEST and (span.state == UNFINISHED or not found)]
    return sorted([*found, *map(_attempt_of_span, unrecorded)], key=lambda attempt: attempt.start_s)


def slowest(found: Iterable[AttemptSummary], count: int) -> list[AttemptSummary]:
    """Return the tests with the longest durations, each by its longest attempt."""
    return _most(found, count, lambda each: each.call_s)


def heaviest(found: Iterable[AttemptSummary], count: int) -> list[AttemptSummary]:
    """Return the tests with the most CPU time, each by its most expensive attempt."""
    return _most(found, count, lambda each: each.cpu_s)


def most_grown(found: Iterable[AttemptSummary], count: int) -> list[AttemptSummary]:
    """Return the tests with the largest growth of resident memory, each by the attempt with the largest.

    An interrupted test is left out: what the end of the session allocated is not its own.
    """
    return _most((each for each in found if each.outcome != INTERRUPTED), count, lambda each: each.memory_growth_MB)


def most_written(found: Iterable[AttemptSummary], count: int) -> list[AttemptSummary]:
    """Return the tests that wrote most to disks, each by the attempt that wrote most."""
    return _most(found, count, lambda each: each.written_MB)


def _most(
    found: Iterable[AttemptSummary], count: int, cost: Callable[[AttemptSummary], float | None]
) -> list[AttemptSummary]:
    ordered = sorted((each for each in found if cost(each) is not None), key=lambda each: -(cost(each) or 0.0))
    first: dict[tuple[str, str], AttemptSummary] = {}
    for each in ordered:
        first.setdefault((each.nodeid, each.host), each)
    return list(first.values())[:count]


def small_curves(found: Sequence[AttemptSummary], times: Values, values: Values) -> list[list[float]]:
    """Return a few points of a curve for the time of each test; none if no sample covers that time alone.

    The first sample of a test and the first one after it also cover other time: they repeat their neighbours.

    Args:
        found: The tests.
        times: The times of the samples.
        values: The curve, NaN where it is missing.
    """
    firsts = np.searchsorted(times, [each.start_s for each in found])
    ends = np.searchsorted(times, [each.end_s for each in found], side="right")
    return [
        _bin_maxima(values[np.clip(np.arange(first, min(end + 1, len(times))), first + 1, end - 1)])
        if end - first >= FEWEST
        else []
        for first, end in zip(firsts.tolist(), ends.tolist(), strict=True)
    ]


def waits(found: Sequence[AttemptSummary], times: Values, values: Values, window_s: float) -> list[float | None]:
    """Return the mean of a share for the time of each test; None if its samples cover less than half of that time.

    Args:
        found: The tests.
        times: The times of the samples.
        values: The share, NaN where it is missing.
        window_s: The time before each sample that its value covers.
    """
    known = ~np.isnan(values)
    at, sums = times[known], np.concatenate([[0.0], np.cumsum(values[known])])
    starts, ends = np.array([each.start_s for each in found]), np.array([each.end_s for each in found])
    firsts, afters = np.searchsorted(at, starts + window_s), np.searchsorted(at, ends, side="right")
    shares: list[float | None] = []
    for place, (first, after) in enumerate(zip(firsts.tolist(), afters.tolist(), strict=True)):
        covered = at[after - 1] - at[first] + window_s if after > first else 0.0
        is_known = after > first and covered >= LEAST_COVERED * (ends[place] - starts[place])
        shares.append(float(sums[after] - sums[first]) / (after - first) if is_known else None)
    return shares


def _bin_maxima(values: Values) -> list[float]:
    """Return the highest value of each of several equal parts."""
    known = np.nan_to_num(values)
    if len(known) <= MOST:
        return list(map(float, known))
    parts = np.linspace(0, len(known), MOST, endpoint=False).astype(int)
    return list(map(float, np.maximum.reduceat(known, parts)))


def _attempt_of_span(span: RunSpan) -> AttemptSummary:
    """Return what annotations.csv knows of a test without a row in tests.csv."""
    outcome = UNFINISHED if span.state == UNFINISHED else str(span.detail.get("text", ""))
    return AttemptSummary(
        span.what, 1, span.worker, outcome, span.start_s, span.end_s - span.start_s, setup_s=None, call_s=None,
        teardown_s=None, cpu_s=None, peak_memory_MB=None, memory_growth_MB=None, memory_kept_MB=None, read_MB=None,
        written_MB=None, load="", folder="", budget="", host=span.host,
    )  # fmt: skip


def _sum_known(tests: pd.DataFrame, all_of: Sequence[str], some_of: Sequence[str]) -> list[float | None]:
    """Return the sum of columns: None if one of the first is missing; missing ones of the others count as 0."""
    needed = [tests[name] for name in all_of if name in tests]
    if len(needed) < len(all_of):
        return [None] * len(tests)
    total = sum(needed[1:], needed[0]) + sum(tests[name].fillna(0.0) for name in some_of if name in tests)
    return total.astype(object).where(total.notna(), None).tolist()


def _cells(tests: pd.DataFrame, name: str) -> list[object]:
    if name not in tests:
        return [None] * len(tests)
    return tests[name].astype(object).where(tests[name].notna(), None).tolist()
