"""Budgets: limits that fail a test, and the verdict on what was spent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import NamedTuple

from pytest_twin.loads.spec import Load
from pytest_twin.model.quantity import said_bytes

OK, OVER, UNKNOWN = "ok", "over", "unknown"
PAIRS = 10  # enough for most tests


@dataclass(frozen=True)
class ResourceUsage:
    """What the body of a test spent; None where the platform does not tell.

    Attributes:
        cpu_seconds: CPU time of the test process.
        children_cpu_seconds: That of its children and theirs, whether or not they ended, but not of orphans.
        duration: Seconds of wall time.
        peak_memory: Bytes at the highest resident memory of the test process.
        memory_growth: Bytes by which that was more than when the body began.
        read: Bytes that the test process, and children that ended, read from disks.
        write: The bytes of the file pages that they changed, as the kernel counts what is written to disks.
        children: 0 where it started no child process, 1 where it started some.
        context_switches: Of the test process.
        major_faults: Page faults of the test process that had to wait for a disk.
        orphans_cpu_seconds: The most that processes used whose parent ended first; infinite while one lives.
    """

    cpu_seconds: float | None = None
    children_cpu_seconds: float | None = None
    duration: float | None = None
    peak_memory: float | None = None
    memory_growth: float | None = None
    read: float | None = None
    write: float | None = None
    children: float | None = None
    context_switches: float | None = None
    major_faults: float | None = None
    orphans_cpu_seconds: float = 0.0


class BudgetLimit(NamedTuple):
    """The most that something may be.

    Attributes:
        value: In seconds, bytes, or how many.
        text: As it was written.
    """

    value: float
    text: str


@dataclass(frozen=True)
class Slowdown:
    """By what factor a test may be slower under a load.

    Attributes:
        limit: The factor.
        under: The load.
        said: The load as it was written.
        pairs: How often it is measured, each time without and with the load.
    """

    limit: float
    under: Load
    said: str
    pairs: int = PAIRS


@dataclass(frozen=True)
class Percentiles:
    """How long a test may take in so many of a hundred repetitions.

    Attributes:
        most: Limits in seconds, by the share of all repetitions that may not be above them.
        repeats: How often it is measured.
    """

    most: Mapping[float, BudgetLimit]
    repeats: int


@dataclass(frozen=True)
class Budget:
    """The limits of one test.

    Attributes:
        most: The limits, by the names of the fields of `ResourceUsage`.
        slowdown: How much slower a load may make the test; None is no such limit.
        percentiles: How long it may take when it is repeated; None is no such limit.
    """

    most: Mapping[str, BudgetLimit]
    slowdown: Slowdown | None = None
    percentiles: Percentiles | None = None

    def __bool__(self) -> bool:
        return bool(self.most) or self.repeats

    @property
    def repeats(self) -> bool:
        """Whether the test has to be repeated for it."""
        return self.slowdown is not None or self.percentiles is not None


class LimitVerdict(NamedTuple):
    """What is to be said of one limit.

    Attributes:
        limit: Its name.
        verdict: `OK`, `OVER`, or `UNKNOWN`.
        short: For a cell: ``cpu_seconds 2.31 s > 2 s``.
        text: For people.
    """

    limit: str
    verdict: str
    short: str
    text: str


def _said_seconds(value: float, *, like: str) -> str:  # noqa: ARG001 - seconds are always said as such
    return f"{value:.4g} s"


def _said_count(value: float, *, like: str) -> str:  # noqa: ARG001
    return f"{value:.0f}"


_UNKNOWN_SINCE = {
    "children": "one from before it ended meanwhile",
    "children_cpu_seconds": "a process outlived its parent, which did not wait for it, or the machine does not tell",
}
_SAID: Mapping[str, Callable[..., str]] = {
    "cpu_seconds": _said_seconds,
    "children_cpu_seconds": _said_seconds,
    "duration": _said_seconds,
    "peak_memory": said_bytes,
    "memory_growth": said_bytes,
    "read": said_bytes,
    "write": said_bytes,
    "children": _said_count,
    "context_switches": _said_count,
    "major_faults": _said_count,
}


def judged(budget: Budget, spent: ResourceUsage) -> list[LimitVerdict]:
    """The verdict on each limit that one run of the test is enough for."""
    found = {each.name: getattr(spent, each.name) for each in fields(spent)}
    hidden = {"children_cpu_seconds": spent.orphans_cpu_seconds}
    return [_finding(name, found[name], most, hidden.get(name, 0.0)) for name, most in budget.most.items()]


def _finding(name: str, value: float | None, limit: BudgetLimit, hidden: float) -> LimitVerdict:
    """The verdict on one limit; `hidden` is the most by which the figure may be too small."""
    if value is None or value <= limit.value < value + hidden:
        why = _UNKNOWN_SINCE.get(name, "this machine does not tell it")
        return LimitVerdict(name, UNKNOWN, f"{name} unknown", f"{name}: {why}")
    said = _SAID[name]
    spent, allowed = said(value, like=limit.text), said(limit.value, like=limit.text)
    if value <= limit.value:
        return LimitVerdict(name, OK, f"{name} {spent} <= {allowed}", f"{name}: {spent}, allowed are {allowed}")
    if name == "children":
        return LimitVerdict(name, OVER, f"{name} > 0", "children: it started a child process, and none is allowed")
    if spent == allowed:
        spent = f"a little over {allowed}"
    return LimitVerdict(name, OVER, f"{name} {spent} > {allowed}", f"{name}: {spent}, allowed are {allowed}")


def cell(findings: Iterable[LimitVerdict]) -> str:
    """The verdict as it stands in tests.csv: what is not as it should be, or ``ok``; empty without a budget."""
    every = list(findings)
    return "; ".join(each.short for each in every if each.verdict != OK) or (OK if every else "")
