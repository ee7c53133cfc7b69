"""Parse and check budgets, from a mark or a table."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pytest_twin.analysis.budgets.budget import PAIRS, Budget, BudgetLimit, Percentiles, Slowdown
from pytest_twin.loads.spec import Load, LoadError
from pytest_twin.model.error_text import unknown
from pytest_twin.model.load_words import split_words, word_value
from pytest_twin.model.quantity import parse_amount, parse_duration
from pytest_twin.stressors.constraint import KEYWORD as CONSTRAIN
from pytest_twin.stressors.spec.kind import BYTES

MOST_REPEATS = 10_000
FEWEST_PAIRS, MOST_PAIRS = 6, 1000  # what `analysis.intervals` needs, and what is enough for any test

BESIDE = 0.025  # how likely the true value may lie beyond each border of an interval: 95 % are within

ReadLoad = Callable[[Mapping[str, Any]], Load]


class BudgetError(ValueError):
    """A budget is invalid; `problems` has each error as a pair of keyword (or empty) and message."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{key}: {problem}" if key else problem for key, problem in problems))
        self.problems = problems


def _size(raw: object) -> float:
    """Parse bytes; only 0 may be written without a unit."""
    if raw == 0 and not isinstance(raw, bool):
        return 0.0
    value, unit = parse_amount(raw, 'a size such as "200MiB"')
    if unit != BYTES:
        raise ValueError(f'{raw!r} is not a size; write one such as "200MiB"')
    return value


def _count(raw: object) -> float:
    if isinstance(raw, bool) or not isinstance(raw, int) or raw < 0:
        raise ValueError(f"{raw!r} is not a whole number from 0")
    return float(raw)


def _no_child(raw: object) -> float:
    if isinstance(raw, bool) or raw != 0:
        raise ValueError(
            f"{raw!r} is not 0; the number of child processes cannot be counted, only whether there were any"
        )
    return 0.0


def _factor(raw: object) -> float:
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not 1 <= raw <= 1e6:
        raise ValueError(f"{raw!r} is not a factor from 1, such as 1.5: half as slow again")
    return float(raw)


def _repeats(raw: object) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int) or not 1 <= raw <= MOST_REPEATS:
        raise ValueError(f"{raw!r} is not a whole number from 1 to {MOST_REPEATS}")
    return raw


def _pairs(raw: object) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int) or not FEWEST_PAIRS <= raw <= MOST_PAIRS:
        raise ValueError(
            f"{raw!r} is not a whole number from {FEWEST_PAIRS}, the minimum for a verdict, to {MOST_PAIRS}"
        )
    return raw


_READERS: Mapping[str, Callable[[object], float]] = {
    "cpu_seconds": parse_duration,
    "children_cpu_seconds": parse_duration,
    "duration": parse_duration,
    "peak_memory": _size,
    "memory_growth": _size,
    "read": _size,
    "write": _size,
    "children": _no_child,
    "context_switches": _count,
    "major_faults": _count,
}
PERCENTILES: Mapping[str, float] = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}
_OF_REPETITIONS: Mapping[str, Callable[[object], Any]] = {"slowdown": _factor, "pairs": _pairs, "repeats": _repeats}
_ALL = {**_READERS, **_OF_REPETITIONS, **dict.fromkeys(PERCENTILES, parse_duration)}
KEYWORDS = (*_ALL, "under")
_NEEDS = (
    ("slowdown", ("under",), 'the load that may cause it, such as under="cpu=75%"'),
    ("under", ("slowdown",), "the factor by which the test may be slower, such as slowdown=2"),
    ("pairs", ("slowdown",), "the factor by which the test may be slower, such as slowdown=2"),
    ("repeats", tuple(PERCENTILES), 'what most of them may take, such as p95="200ms"'),
)


def merge_layers(layers: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Merge layers of keywords, the most general first; None removes a limit."""
    together: dict[str, Any] = {}
    for layer in layers:
        together.update(layer)
    return {name: raw for name, raw in together.items() if raw is not None}


def parse(keywords: Mapping[str, Any], read_load: ReadLoad) -> Budget:
    """Parse a budget from keywords, such as ``{"cpu_seconds": 2, "peak_memory": "200MiB"}``.

    Args:
        keywords: The limits.
        read_load: Parses the keywords of a load.

    Raises:
        BudgetError: The budget has errors; it lists all of them.
    """
    values = parse_values(keywords, read_load)
    problems = [
        (name, f"needs {others[0] if len(others) == 1 else others[-2]}=, {why}")
        for name, others, why in _NEEDS
        if name in values and not any(other in values for other in others)
    ]
    slowdown = None
    if "slowdown" in values and not problems:
        slowdown = Slowdown(values["slowdown"], values["under"], values.get("pairs", PAIRS))
    limits = {name: BudgetLimit(values[name], str(keywords[name])) for name in values if name in _READERS}
    shares = {
        PERCENTILES[name]: BudgetLimit(values[name], str(keywords[name])) for name in values if name in PERCENTILES
    }
    repeats = values.get("repeats", max(map(min_repetitions, shares), default=0))
    problems += [
        ("repeats", f"{repeats} repetitions are too few for {name}; at least {min_repetitions(share)} are needed")
        for name, share in PERCENTILES.items()
        if share in shares and repeats < min_repetitions(share)
    ]
    if problems:
        raise BudgetError(problems)
    return Budget(limits, slowdown, Percentiles(shares, repeats) if shares else None)


def min_repetitions(share: float) -> int:
    """Return the number of repetitions that a 95 % confidence interval of a percentile needs.

    With fewer, even all of them may be on one side of it: the probability of that is ``share ** count``.
    """
    return math.ceil(math.log(BESIDE) / math.log(max(share, 1 - share)))


def parse_values(keywords: Mapping[str, Any], read_load: ReadLoad) -> dict[str, Any]:
    """Parse the value of each keyword.

    Raises:
        BudgetError: Values are invalid; it lists all of them.
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
                values[name] = _ALL[name](raw)
        except LoadError as error:
            problems += [(f"under: {key}" if key else "under", problem) for key, problem in error.problems]
        except ValueError as error:
            problems.append((name, str(error)))
    if problems:
        raise BudgetError(problems)
    return values


def _under(raw: object, read_load: ReadLoad) -> Load:
    """Parse the load of a slowdown: ``cpu=50% mem=1GiB``, and behind it a constraint as in ``constrain cpu=0.5``."""
    text = f" {' '.join(raw.split())} " if isinstance(raw, str) else ""
    words, found, constraint = text.partition(f" {CONSTRAIN} ")
    keywords: dict[str, Any] = {CONSTRAIN: constraint.strip()} if found else {}
    if words.strip() or not found:
        what = f'load; write one such as "cpu=75%", "cpu=50% mem=1GiB" or "{CONSTRAIN} cpu=0.5"'
        try:
            pairs = split_words(words, what)
        except ValueError as error:
            raise ValueError(f"{raw!r} {error}") from None
        keywords = {**{key: word_value(value) for key, value in pairs.items()}, **keywords}
    load = read_load(keywords)
    if not load:
        raise ValueError(f"{raw!r} applies no load")
    return load
