"""Figures for the terminal summary of a run: the most expensive tests, kept memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from pytest_twin.analysis.run.by_host import on_host
from pytest_twin.analysis.run.totals import CountedTests
from pytest_twin.model.attempt_row import BAD, INTERRUPTED

Row = Mapping[str, str]
LARGE_SHARE = 0.1  # of what all tests used together: a test with less is one of many
WORTH_TELLING_MB = 10.0  # of memory: allocators keep less than that of what a test has freed


def cpu_s(test: Row) -> float:
    """Return the CPU seconds of a test and its children; unknown figures count as 0."""
    return float(test["cpu_user_s"] or 0) + float(test["cpu_system_s"] or 0) + float(test["children_cpu_s"] or 0)


def growth_MB(test: Row) -> float:  # noqa: N802 - as the column is called
    """Return the growth of resident memory in a test in MiB; 0 if unknown, and for one that was interrupted."""
    return 0.0 if test["outcome"] == INTERRUPTED else float(test["memory_growth_MB"] or 0)


def written_MB(test: Row) -> float:  # noqa: N802 - as the column is called
    """Return the data that a test wrote in MiB; 0 if unknown."""
    return float(test["written_MB"] or 0)


class CostRanking:
    """Ranks tests by a cost, row by row; a repeated test counts by its most expensive attempt.

    Attributes:
        best: The rows of the most expensive tests with their costs, most expensive first.
        total: The costs of all tests.
    """

    def __init__(self, cost: Callable[[Row], float], count: int = 3) -> None:
        self.best: list[tuple[Row, float]] = []
        self.total = 0.0
        self._cost, self._count = cost, count
        self._costs: dict[int, float] = {}  # of each test that has any

    def add(self, test: int, row: Row) -> None:
        """Add an attempt of a test.

        Args:
            test: The hash of what the test is known by: of many tests, the names would take much memory.
            row: The row of the attempt.
        """
        cost, known = self._cost(row), self._costs.get(test, 0.0)
        if cost <= known:  # such as 0, of which most tests grow and write
            return
        self.total += cost - known
        self._costs[test] = cost
        if len(self.best) < self._count or cost > self.best[-1][1]:
            same = next((each for each in self.best if each[0]["nodeid"] == row["nodeid"]), None)
            if same is None or cost > same[1]:
                others = [each for each in self.best if each is not same]
                self.best = sorted([*others, (row, cost)], key=lambda each: -each[1])[: self._count]

    def outstanding(self, least: float) -> list[tuple[Row, float, float]]:
        """Return the most expensive tests with their costs and shares of the costs of all, if they are large.

        Args:
            least: The lowest cost that is worth telling.
        """
        enough = max(least, LARGE_SHARE * self.total)
        return [(row, cost, cost / self.total) for row, cost in self.best if cost >= enough]


class KeptMemory:
    """Adds up the memory that tests kept in their process, or gave back."""

    def __init__(self) -> None:
        self._kept: dict[int, float] = {}
        self._names: dict[int, str] = {}  # of the few that kept much

    def add(self, test: int, name: str, size: float) -> None:
        """Add an attempt of a test.

        Args:
            test: The hash of what the test is known by.
            name: Its name for people.
            size: The memory after the attempt minus that before, in MiB.
        """
        kept = self._kept[test] = self._kept.get(test, 0.0) + size
        if kept >= WORTH_TELLING_MB:
            self._names[test] = name

    @property
    def leaks(self) -> list[tuple[str, float]]:
        """The tests that kept memory in all of their attempts together, in MiB, those with the most first."""
        found = ((name, self._kept[test]) for test, name in self._names.items())
        large = [(name, round(size, 3)) for name, size in found if size >= WORTH_TELLING_MB]
        return sorted(large, key=lambda leak: -leak[1])


class SuiteFigures:
    """What the terminal shows of the tests of a run, collected row by row.

    Attributes:
        counter: Counts the tests.
        attempts: The number of attempts by host.
        bad_attempts: The number of attempts that failed in any way.
        cpu: Ranks the tests by CPU time.
        growth: Ranks them by memory growth.
        written: Ranks them by what they wrote.
        kept: The memory that they kept.
    """

    def __init__(self, tests: Iterable[Row] = ()) -> None:
        self.counter = CountedTests()
        self.attempts: Counter[str] = Counter()
        self.bad_attempts = 0
        self.cpu, self.growth, self.written = map(CostRanking, (cpu_s, growth_MB, written_MB))
        self.kept = KeptMemory()
        for test in tests:
            self.add(test)

    def add(self, row: Row) -> None:
        """Add an attempt of a test."""
        nodeid, host = row["nodeid"], row["host"]
        test = hash((host, nodeid))
        self.counter.add(test, row["worker"], int(row["attempt"] or 1))
        self.attempts[host] += 1
        self.bad_attempts += row["outcome"] in BAD
        for ranking in (self.cpu, self.growth, self.written):
            ranking.add(test, row)
        if kept := float(row["memory_kept_MB"] or 0):
            self.kept.add(test, nodeid + on_host(host), kept)


class RunOverview:
    """What the terminal shows of a run.

    Attributes:
        events: The rows of annotations.csv, without those of tests.
        tests: Its tests.
    """

    def __init__(self, events: Sequence[Row], tests: SuiteFigures) -> None:
        self.events, self.tests = events, tests


def leaks(kept: Iterable[tuple[str, float | None]]) -> list[tuple[str, float]]:
    """Return the tests that kept memory in their process, in MiB, those with the most first.

    Args:
        kept: Each attempt of each test, with the memory after it minus that before; None if unknown.
    """
    memory = KeptMemory()
    for test, size in kept:
        memory.add(hash(test), test, size or 0.0)
    return memory.leaks
