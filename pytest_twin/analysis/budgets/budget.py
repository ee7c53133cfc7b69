"""Budgets: limits on what a test uses, and the verdict on each of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from pytest_twin.loads.spec import Load
from pytest_twin.model.attempt_row import KEPT
from pytest_twin.model.quantity import format_bytes

OK, OVER, UNKNOWN = KEPT, "over", "unknown"
PAIRS = 10  # enough for most tests
_INCONCLUSIVE = re.compile(r" unknown$| \? | skipped in its \w+$")  # of the short text of an unknown verdict


class ResourceUsage(NamedTuple):
    """The resources that the body of a test used; None where the platform does not report it.

    Attributes:
        cpu_seconds: CPU time of the test process.
        children_cpu_seconds: CPU time of its children and their children, without orphans.
        duration: Seconds of wall time.
        peak_memory: Bytes of the highest resident memory of the test process.
        memory_growth: Bytes by which that exceeds the resident memory when the body began.
        read: Bytes that the test process, and children that ended, read from disks.
        write: Bytes of the file pages that they changed, which the kernel counts as written to disks.
        children: 0 if it started no child process, 1 if it started any.
        context_switches: Context switches of the test process.
        major_faults: Page faults of the test process that had to wait for a disk.
        orphans_cpu_seconds: The most CPU time that orphaned processes may have used; infinite while one lives.
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
    """An upper limit.

    Attributes:
        value: The limit in seconds, bytes, or as a count.
        text: The limit as the user wrote it.
    """

    value: float
    text: str


@dataclass(frozen=True)
class Slowdown:
    """The limit on the factor by which a load makes a test slower.

    Attributes:
        limit: The factor.
        under: The load.
        pairs: The number of measurements, each without and with the load.
    """

    limit: float
    under: Load
    pairs: int = PAIRS


@dataclass(frozen=True)
class Percentiles:
    """Limits on percentiles of the duration of a test.

    Attributes:
        most: The limit of each percentile in seconds, by its share of all repetitions (0 to 1).
        repeats: The number of repetitions.
    """

    most: Mapping[float, BudgetLimit]
    repeats: int


@dataclass(frozen=True)
class Budget:
    """The limits of one test.

    Attributes:
        most: The limits by the names of the fields of `ResourceUsage`.
        slowdown: The limit on how much slower a load makes the test; None is no such limit.
        percentiles: The limits on its duration in repetitions; None is no such limit.
    """

    most: Mapping[str, BudgetLimit]
    slowdown: Slowdown | None = None
    percentiles: Percentiles | None = None

    def __bool__(self) -> bool:
        return bool(self.most) or self.repeats

    @property
    def repeats(self) -> bool:
        """Whether the test has to be repeated to judge it."""
        return self.slowdown is not None or self.percentiles is not None


class LimitVerdict(NamedTuple):
    """The verdict on one limit.

    Attributes:
        limit: The name of the limit.
        verdict: `OK`, `OVER`, or `UNKNOWN`.
        short: The text for a cell of tests.csv, such as ``cpu_seconds 2.31 s > 2 s``.
        text: A sentence for people. Both texts are empty for a limit that one run of the test has kept.
    """

    limit: str
    verdict: str
    short: str = ""
    text: str = ""


def format_seconds(seconds: float) -> str:
    """Return a time in the unit that people read: ``2.31 s``, ``51 ms``, ``1.2 µs``."""
    if abs(seconds) >= 1 or not seconds:
        return f"{seconds:.4g} s"
    value, unit = (seconds * 1e3, "ms") if abs(seconds) >= 1e-3 else (seconds * 1e6, "µs")
    return f"{value:.{0 if abs(value) >= 10 else 1}f} {unit}"


_UNKNOWN_REASONS = {
    "children": "a child process from before the test ended during the test",
    "children_cpu_seconds": (
        "a process outlived its parent, which did not wait for it, or this machine does not report it"
    ),
}
_SECONDS = frozenset({"cpu_seconds", "children_cpu_seconds", "duration"})
_BYTES = frozenset({"peak_memory", "memory_growth", "read", "write"})


def _format_value(name: str, value: float, like: str) -> str:
    """Return the value of a limit for people; bytes are in such units as the limit has."""
    if name in _SECONDS:
        return format_seconds(value)
    return format_bytes(value, like=like) if name in _BYTES else f"{value:.0f}"


def _format_cell(name: str, value: float, like: str) -> str:
    """Return the same for tests.csv, where seconds are always in seconds."""
    return f"{value:.4g} s" if name in _SECONDS else _format_value(name, value, like)


def judge_run(budget: Budget, spent: ResourceUsage) -> list[LimitVerdict]:
    """Return the verdict on each limit for which one run of the test is enough."""
    hidden = {"children_cpu_seconds": spent.orphans_cpu_seconds}
    return [_judge_limit(name, getattr(spent, name), most, hidden.get(name, 0.0)) for name, most in budget.most.items()]


def _judge_limit(name: str, value: float | None, limit: BudgetLimit, hidden: float) -> LimitVerdict:
    """Return the verdict on one limit; `hidden` is the most by which the value may be too small."""
    if value is None or value <= limit.value < value + hidden:
        reason = _UNKNOWN_REASONS.get(name, "this machine does not report it")
        return LimitVerdict(name, UNKNOWN, f"{name} unknown", f"{name} is unknown: {reason}")
    if value <= limit.value:
        return LimitVerdict(name, OK)
    used, allowed = (_format_value(name, each, limit.text) for each in (value, limit.value))
    used_cell, allowed_cell = (_format_cell(name, each, limit.text) for each in (value, limit.value))
    if name == "children":
        return LimitVerdict(
            name, OVER, f"{name} > 0", "children: the test started a child process, but none is allowed"
        )
    if used_cell == allowed_cell:
        used_cell = f"a little over {allowed_cell}"
    text = f"{name} slightly exceeds the limit of {allowed}"
    if used != allowed:
        text = f"{name} {used} exceeds the limit of {allowed}"
    return LimitVerdict(name, OVER, f"{name} {used_cell} > {allowed_cell}", text)


def is_broken(verdicts: Iterable[LimitVerdict], inconclusive: str) -> bool:
    """Return whether a budget fails its test.

    Args:
        verdicts: The verdicts on its limits.
        inconclusive: Whether an inconclusive verdict fails the test too: `fail` or `pass`.
    """
    return any(each.verdict == OVER or (each.verdict == UNKNOWN and inconclusive == "fail") for each in verdicts)


def inconclusive_lines(verdicts: Iterable[LimitVerdict]) -> list[str]:
    """Return a line for each limit that could not be judged."""
    return [f"budget: {each.text}" for each in verdicts if each.verdict == UNKNOWN]


def verdict_cell(findings: Iterable[LimitVerdict]) -> str:
    """Return the cell of tests.csv: the limits that are exceeded or unknown, or ``ok``; empty without a budget."""
    every = list(findings)
    return "; ".join(each.short for each in every if each.verdict != OK) or (OK if every else "")


def verdict_of_cell(cell: str) -> str:
    """Return the verdict on a budget as a whole, `OK`, `OVER` or `UNKNOWN`, from its cell; empty without a budget."""
    if cell in {"", OK}:
        return cell
    return UNKNOWN if all(_INCONCLUSIVE.search(part) for part in cell.split("; ")) else OVER
