"""Budgets: limits that fail a test, as they are written, and the verdict on what was spent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from pytest_twin.model.load import Load, LoadError, unknown
from pytest_twin.model.quantity import amount, duration, said_bytes
from stressors.kind import BYTES

OK, OVER, UNKNOWN = "ok", "over", "unknown"
FEWEST_PAIRS, MOST_PAIRS, PAIRS = 6, 1000, 10  # what `analysis.intervals` needs, and what is enough for most tests

ReadLoad = Callable[[Mapping[str, Any]], Load]


class BudgetError(ValueError):
    """Something is wrong with a budget; `problems` has all of it, as (keyword or nothing, what is wrong)."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{key}: {problem}" if key else problem for key, problem in problems))
        self.problems = problems


@dataclass(frozen=True)
class Spent:
    """What the body of a test spent; None where the platform does not tell.

    Attributes:
        cpu_seconds: CPU time of the test process.
        children_cpu_seconds: That of its children and theirs, whether or not they ended.
        duration: Seconds of wall time.
        peak_memory: Bytes at the highest resident memory of the test process.
        memory_growth: Bytes by which that was more than when the body began.
        read: Bytes that the test process, and children that ended, read from disks.
        write: The same, written.
        children: 0 where it started no child process, 1 where it started some.
        context_switches: Of the test process.
        major_faults: Page faults of the test process that had to wait for a disk.
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


class Limit(NamedTuple):
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
class Budget:
    """The limits of one test.

    Attributes:
        most: The limits, by the names of the fields of `Spent`.
        slowdown: How much slower a load may make the test; None is no such limit.
    """

    most: Mapping[str, Limit]
    slowdown: Slowdown | None = None

    def __bool__(self) -> bool:
        return bool(self.most) or self.slowdown is not None


class Finding(NamedTuple):
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


def _size(raw: object) -> float:
    """Bytes; nothing at all may be written without a unit."""
    if raw == 0 and not isinstance(raw, bool):
        return 0.0
    value, unit = amount(raw)
    if unit != BYTES:
        raise ValueError(f'{raw!r} is not a size; write one such as "200MiB"')
    return value


def _count(raw: object) -> float:
    if isinstance(raw, bool) or not isinstance(raw, int) or raw < 0:
        raise ValueError(f"{raw!r} is not a whole number from 0")
    return float(raw)


def _no_child(raw: object) -> float:
    if isinstance(raw, bool) or raw != 0:
        raise ValueError(f"{raw!r} is not 0; no counter tells how many there were, only whether there were any")
    return 0.0


def _factor(raw: object) -> float:
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not 1 <= raw <= 1e6:
        raise ValueError(f"{raw!r} is not a factor from 1, such as 1.5: half as slow again")
    return float(raw)


def _pairs(raw: object) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int) or not FEWEST_PAIRS <= raw <= MOST_PAIRS:
        raise ValueError(
            f"{raw!r} is not a whole number from {FEWEST_PAIRS}, below which nothing can be told, to {MOST_PAIRS}"
        )
    return raw


def _said_seconds(value: float, *, like: str) -> str:  # noqa: ARG001 - seconds are always said as such
    return f"{value:.4g} s"


def _said_count(value: float, *, like: str) -> str:  # noqa: ARG001
    return f"{value:.0f}"


_READERS: Mapping[str, tuple[Callable[[object], float], Callable[..., str]]] = {
    "cpu_seconds": (duration, _said_seconds),
    "children_cpu_seconds": (duration, _said_seconds),
    "duration": (duration, _said_seconds),
    "peak_memory": (_size, said_bytes),
    "memory_growth": (_size, said_bytes),
    "read": (_size, said_bytes),
    "write": (_size, said_bytes),
    "children": (_no_child, _said_count),
    "context_switches": (_count, _said_count),
    "major_faults": (_count, _said_count),
}
_OF_SLOWDOWN: Mapping[str, Callable[[object], Any]] = {"slowdown": _factor, "pairs": _pairs}
KEYWORDS = (*_READERS, "slowdown", "under", "pairs")


def merged(layers: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """One set of keywords from several, the most general first; None takes a limit away."""
    together: dict[str, Any] = {}
    for layer in layers:
        together.update(layer)
    return {name: raw for name, raw in together.items() if raw is not None}


def parse(keywords: Mapping[str, Any], read_load: ReadLoad) -> Budget:
    """Read a budget from keywords, such as ``{"cpu_seconds": 2, "peak_memory": "200MiB"}``.

    Args:
        keywords: The limits.
        read_load: Reads the keywords of a load.

    Raises:
        BudgetError: With everything that is wrong, not only the first.
    """
    values = read(keywords, read_load)
    missing = [
        (name, f"needs {other}=, {why}")
        for name, other, why in (
            ("slowdown", "under", 'the load that may cause it, such as under="cpu:75%"'),
            ("under", "slowdown", "the factor by which the test may be slower, such as slowdown=2"),
            ("pairs", "slowdown", "the factor by which the test may be slower, such as slowdown=2"),
        )
        if name in values and other not in values
    ]
    if missing:
        raise BudgetError(missing)
    slowdown = None
    if "slowdown" in values:
        said = " ".join(str(keywords["under"]).split())
        slowdown = Slowdown(values["slowdown"], values["under"], said, values.get("pairs", PAIRS))
    most = {name: Limit(values[name], str(keywords[name])) for name in _READERS if name in values}
    return Budget(most, slowdown)


def read(keywords: Mapping[str, Any], read_load: ReadLoad) -> dict[str, Any]:
    """The values of keywords, each by itself.

    Raises:
        BudgetError: With everything that is wrong.
    """
    values: dict[str, Any] = {}
    problems: list[tuple[str, str]] = []
    for name, raw in keywords.items():
        if name not in KEYWORDS:
            problems.append(("", unknown(name, KEYWORDS, "keyword")))
            continue
        try:
            if name == "under":
                values[name] = _under(raw, read_load)
            elif raw is not None:
                values[name] = _OF_SLOWDOWN[name](raw) if name in _OF_SLOWDOWN else _READERS[name][0](raw)
        except LoadError as error:
            problems += [(f"under: {key}" if key else "under", problem) for key, problem in error.problems]
        except ValueError as error:
            problems.append((name, str(error)))
    if problems:
        raise BudgetError(problems)
    return values


def _under(raw: object, read_load: ReadLoad) -> Load:
    words = [word.partition(":") for word in raw.split()] if isinstance(raw, str) else []
    if not words or not all(key and colon and value for key, colon, value in words):
        raise ValueError(f'{raw!r} is no load; write one such as "cpu:75%" or "cpu:50% mem:1GiB"')
    load = read_load({key: int(value) if value.isdecimal() else value for key, _, value in words})
    if not load:
        raise ValueError(f"{raw!r} is no load at all")
    return load


def judged(budget: Budget, spent: Spent) -> list[Finding]:
    """The verdict on each limit but the slowdown."""
    found = {each.name: getattr(spent, each.name) for each in fields(spent)}
    return [_finding(name, found[name], most) for name, most in budget.most.items()]


def _finding(name: str, value: float | None, limit: Limit) -> Finding:
    if value is None:
        why = "this machine does not tell it" if name != "children" else "one from before it ended meanwhile"
        return Finding(name, UNKNOWN, f"{name} unknown", f"{name}: {why}")
    said = _READERS[name][1]
    spent, allowed = said(value, like=limit.text), said(limit.value, like=limit.text)
    if value <= limit.value:
        return Finding(name, OK, f"{name} {spent} <= {allowed}", f"{name}: {spent}, allowed are {allowed}")
    if name == "children":
        return Finding(name, OVER, f"{name} > 0", "children: it started a child process, and none is allowed")
    if spent == allowed:
        spent = f"a little over {allowed}"
    return Finding(name, OVER, f"{name} {spent} > {allowed}", f"{name}: {spent}, allowed are {allowed}")


def cell(findings: Iterable[Finding]) -> str:
    """The verdict as it stands in tests.csv: what is not as it should be, or ``ok``; empty without a budget."""
    every = list(findings)
    return "; ".join(each.short for each in every if each.verdict != OK) or (OK if every else "")
