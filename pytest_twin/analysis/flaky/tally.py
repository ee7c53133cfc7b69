"""Count what the runs of a test came out as under each condition, and summarize their figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import NamedTuple

from pytest_twin.analysis.flaky.conditions import IDLE, Condition
from pytest_twin.analysis.stats.proportions import Share

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


class RunResult(NamedTuple):
    """One run of one test under one condition.

    Attributes:
        outcome: `PASSED`, `FAILED` or `SKIPPED`.
        is_alone: Whether no other test ran at the same time.
        duration_s: Wall time of set-up, call and teardown.
        cpu_s: CPU time of the process of the test and its ended children; None if it died.
        throttled_s: Time for which a CPU quota stopped it; None without a quota.
        cpu_wait_s: Time for which its threads were runnable without a CPU; None where it is not known.
        disk_wait_s: Time for which it waited for block I/O; None where it is not known.
        peak_bytes: Peak resident memory of its process; None if it died.
        data_bytes: Peak of its reserved private memory; None where it is not known.
        error: First line of the failure; empty if it passed.
        report: The report of the failure.
        is_ended: Whether it ended by itself, and was not killed at its deadline.
    """

    outcome: str
    is_alone: bool = True
    duration_s: float = 0.0
    cpu_s: float | None = None
    throttled_s: float | None = None
    cpu_wait_s: float | None = None
    disk_wait_s: float | None = None
    peak_bytes: int | None = None
    data_bytes: int | None = None
    error: str = ""
    report: str = ""
    is_ended: bool = True


@dataclass
class Tally:
    """The runs of one test under one condition.

    A failure beside other tests is only a hint: the others may have caused it. Until the test has failed alone too,
    hints do not count, and then passes beside others do not count either, so that the share of failures is that of the
    runs alone.

    Attributes:
        results: All results, in the order of the runs; a skipped run is one of them.
        alone: The runs alone.
        beside: The runs beside other tests.
        durations: The durations of the runs that ended.
    """

    results: list[RunResult] = field(default_factory=list)
    alone: Share = Share(0, 0)
    beside: Share = Share(0, 0)
    durations: list[float] = field(default_factory=list)

    def add(self, result: RunResult) -> None:
        """Count a run."""
        self.results.append(result)
        if result.outcome == SKIPPED:
            return
        is_failure = result.outcome == FAILED
        if result.is_alone:
            self.alone = self.alone.plus(is_failure, 1)
        else:
            self.beside = self.beside.plus(is_failure, 1)
        if result.is_ended:
            self.durations.append(result.duration_s)

    @property
    def is_suspect(self) -> bool:
        """Whether any run failed, even beside others."""
        return self.alone.failures + self.beside.failures > 0

    @property
    def hints(self) -> int:
        """The number of failures beside other tests that do not count."""
        return 0 if self.alone.failures else self.beside.failures

    @property
    def failures(self) -> int:
        """The number of failures that count."""
        return self.alone.failures + self.beside.failures - self.hints

    @property
    def runs(self) -> int:
        """The number of runs that count."""
        return self.alone.runs + (0 if self.hints else self.beside.runs)

    @property
    def passes(self) -> int:
        """The number of passes that count."""
        return self.runs - self.failures

    @property
    def is_skipped(self) -> bool:
        """Whether the test was skipped in the first run."""
        return bool(self.results) and self.results[0].outcome == SKIPPED

    @property
    def first_failure(self) -> RunResult | None:
        """The first failure that counts, else the first hint; None if no run failed."""
        failed = [each for each in self.results if each.outcome == FAILED]
        return next((each for each in failed if each.is_alone), failed[0] if failed else None)

    def middle(self, figure: Callable[[RunResult], float | None]) -> float | None:
        """Return the median of a figure over the runs that have it; None if none has."""
        known = _known(figure(each) for each in self.results)
        return median(known) if known else None

    def largest(self, figure: Callable[[RunResult], float | None]) -> float | None:
        """Return the largest value of a figure; None if no run has it."""
        return max(_known(figure(each) for each in self.results), default=None)


def resolve(condition: Condition, of_test: Mapping[Condition, Tally]) -> Condition:
    """Return a condition with the memory limit of one test, by its idle runs; the same where there are none."""
    idle = of_test.get(IDLE)
    if idle is None:
        return condition
    resident, data = idle.largest(lambda each: each.peak_bytes), idle.largest(lambda each: each.data_bytes)
    return condition.for_peak(int(resident or 0), int(data or 0))


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]
