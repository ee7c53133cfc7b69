"""The tests of a run for reading: their exact figures, those that never finished, and a small curve of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pytest_twin.analysis.run.spans import RunSpan, TimeOrigin, Values, seconds
from pytest_twin.model import event
from pytest_twin.model.attempt_row import BAD, UNFINISHED

if TYPE_CHECKING:
    import pandas as pd

FEWEST, MOST = 2, 24  # samples of a small curve that are within the test, points of it


class AttemptSummary(NamedTuple):
    """One attempt of one test; a figure that is not known is None.

    Attributes:
        nodeid: The test.
        number: 1, and more where it was run again.
        worker: The pytest-xdist worker, empty without.
        outcome: As in tests.csv, or ``unfinished``.
        start_s: When it began, in seconds since the run did.
        duration_s: How long it took, with set-up, teardown and the time to apply a load.
        setup_s: Wall time of the set-up.
        call_s: Wall time of the test itself.
        teardown_s: Wall time of the teardown.
        cpu_s: CPU seconds of the test process and its children.
        peak_memory_MB: Highest resident memory of the test process.
        memory_growth_MB: That less what was resident when the test began.
        memory_kept_MB: What was resident after the test, less the same.
        read_MB: Read from disks.
        written_MB: Written to disks.
        load: What it ran under.
        folder: Its own folder, empty for none.
        budget: ``ok``, or what was over its budget or could not be told; empty without one.
        host: Where it ran, empty for pytest's own host.
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

    @property
    def end_s(self) -> float:
        """When it ended, in seconds since the run began."""
        return self.start_s + self.duration_s

    @property
    def is_bad(self) -> bool:
        """Whether somebody has to look at it."""
        return self.outcome in BAD


def attempts(tests: pd.DataFrame, since: TimeOrigin, spans: Sequence[RunSpan]) -> list[AttemptSummary]:
    """The tests of a run in the order of their beginnings, those included that only began.

    Where there is no row of a test at all, such as in the folder of one test, the events tell what they know.

    Args:
        tests: The rows of tests.csv.
        since: When the run began.
        spans: What lasted in it.
    """
    cpu = _sum_known(tests, ("cpu_user_s", "cpu_system_s"), ("children_cpu_s",))
    names = ("nodeid", "attempt", "worker", "outcome", "duration_s", "setup_s", "call_s", "teardown_s",
             "peak_memory_MB", "memory_growth_MB", "memory_kept_MB", "read_MB", "written_MB", "load", "folder",
             "budget", "host")  # fmt: skip
    columns = [_cells(tests, name) for name in names]
    found = [
        AttemptSummary(
            nodeid or "", int(number or 1), worker or "", outcome or "", start, duration or 0.0, setup, call, teardown,
            used, peak, growth, kept, read, written, load or "", folder or "", budget or "", host or "",
        )
        for start, used, nodeid, number, worker, outcome, duration, setup, call, teardown, peak, growth, kept, read,
        written, load, folder, budget, host in zip(seconds(tests, since).tolist(), cpu, *columns, strict=True)
    ]  # fmt: skip
    told = [span for span in spans if span.type == event.TEST and (span.state == UNFINISHED or not found)]
    return sorted([*found, *map(_attempt_of_span, told)], key=lambda attempt: attempt.start_s)


def slowest(found: Iterable[AttemptSummary], count: int) -> list[AttemptSummary]:
    """The tests that took longest by themselves, each by the longest of its attempts."""
    return _most(found, count, lambda each: each.call_s)


def heaviest(found: Iterable[AttemptSummary], count: int) -> list[AttemptSummary]:
    """The tests that took most CPU time, each by the dearest of its attempts."""
    return _most(found, count, lambda each: each.cpu_s)


def most_grown(found: Iterable[AttemptSummary], count: int) -> list[AttemptSummary]:
    """The tests in which resident memory grew most, each by the one of its attempts in which it did."""
    return _most(found, count, lambda each: each.memory_growth_MB)


def _most(
    found: Iterable[AttemptSummary], count: int, cost: Callable[[AttemptSummary], float | None]
) -> list[AttemptSummary]:
    ordered = sorted((each for each in found if cost(each) is not None), key=lambda each: -(cost(each) or 0.0))
    first: dict[tuple[str, str], AttemptSummary] = {}
    for each in ordered:
        first.setdefault((each.nodeid, each.host), each)
    return list(first.values())[:count]


def small_curves(found: Sequence[AttemptSummary], times: Values, values: Values) -> list[list[float]]:
    """A few points of a curve for the time of each test; none where no sample tells of that time alone.

    The first sample of a test and the first one after it tell of others' time too: they are drawn as their neighbours.

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


def _bin_maxima(values: Values) -> list[float]:
    """The highest of each of some equal parts."""
    known = np.nan_to_num(values)
    if len(known) <= MOST:
        return list(map(float, known))
    parts = np.linspace(0, len(known), MOST, endpoint=False).astype(int)
    return list(map(float, np.maximum.reduceat(known, parts)))


def _attempt_of_span(span: RunSpan) -> AttemptSummary:
    """What annotations.csv knows of a test that has no row in tests.csv."""
    outcome = UNFINISHED if span.state == UNFINISHED else str(span.detail.get("text", ""))
    return AttemptSummary(
        span.what, 1, span.worker, outcome, span.start_s, span.end_s - span.start_s, setup_s=None, call_s=None,
        teardown_s=None, cpu_s=None, peak_memory_MB=None, memory_growth_MB=None, memory_kept_MB=None, read_MB=None,
        written_MB=None, load="", folder="", budget="", host=span.host,
    )  # fmt: skip


def _sum_known(tests: pd.DataFrame, all_of: Sequence[str], some_of: Sequence[str]) -> list[float | None]:
    """The sum of columns: None where one of the first is missing; one of the others that is counts nothing."""
    needed = [tests[name] for name in all_of if name in tests]
    if len(needed) < len(all_of):
        return [None] * len(tests)
    total = sum(needed[1:], needed[0]) + sum(tests[name].fillna(0.0) for name in some_of if name in tests)
    return total.astype(object).where(total.notna(), None).tolist()


def _cells(tests: pd.DataFrame, name: str) -> list[object]:
    if name not in tests:
        return [None] * len(tests)
    return tests[name].astype(object).where(tests[name].notna(), None).tolist()
