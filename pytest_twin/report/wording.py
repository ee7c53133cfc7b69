"""Figures in words, for every form of a report."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_twin.analysis.run.totals import last_attempts, number_of_tests

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_twin.analysis.run.run_summary import RunSummary

KEPT = "ok"  # as tests.csv says of a budget
LONGEST = 160  # characters of a test's id
NOTHING = "–"  # noqa: RUF001 - a dash, and no minus


def headline(summary: RunSummary) -> str:
    """The run in a few words, what went wrong first."""
    outcomes = summary.outcomes
    if not outcomes:
        if len(summary.times):
            return "A recording without tests"
        return "Events without samples" if summary.spans or summary.notes else "Nothing was recorded"
    went = ", ".join(f"{many:,} {outcome}" for outcome, many in outcomes.items())
    return f"{describe_attempts(summary)}: {went}" if is_repeated(summary) else went


def describe_attempts(summary: RunSummary) -> str:
    """How many tests there were, and how often they ran where that was more than once."""
    tests = format_count(number_of_tests(summary.attempts), "test")
    return f"{tests} in {len(summary.attempts):,} attempts" if is_repeated(summary) else tests


def is_repeated(summary: RunSummary) -> bool:
    """Whether some test ran more than once."""
    return number_of_tests(summary.attempts) < len(summary.attempts)


def describe_budgets(summary: RunSummary) -> str:
    """How many of the tests that have a budget kept it; empty where none has one."""
    verdicts = [attempt.budget for attempt in last_attempts(each for each in summary.attempts if each.budget)]
    kept, tests = verdicts.count(KEPT), format_count(len(verdicts), "test")
    return f"{kept:,} of {tests} with a budget {'is' if kept == 1 else 'are'} within it." if verdicts else ""


def describe_machine(fingerprint: Mapping[str, Any] | None) -> list[str]:
    """The machine in a few facts; those that are known."""
    found = fingerprint or {}
    cpu, memory, system = (part if isinstance(part, dict) else {} for part in map(found.get, ("cpu", "memory", "os")))
    told = [cpu.get("model"), format_count(cpu["logical"], "CPU") if isinstance(cpu.get("logical"), int) else None]
    told += [f"{memory['total_GB']:.1f} GiB" if isinstance(memory.get("total_GB"), int | float) else None]
    return [str(fact) for fact in (*told, system.get("name") or system.get("system")) if fact]


def describe_machines(summary: RunSummary) -> list[str]:
    """The machine in a few facts, or where there are several, how many."""
    return [format_count(len(summary.hosts), "host")] if summary.hosts else describe_machine(summary.run.fingerprint)


def format_duration(seconds: float | None) -> str:
    """A time for people: ``1.2 ms``, ``340 ms``, ``5.25 s``, ``12.3 s``, ``2:05 min``, ``1:00:00 h``."""
    if seconds is None or math.isnan(seconds):
        return NOTHING
    if 0.00005 <= seconds < 0.9995:
        return f"{seconds * 1000:.{1 if seconds < 0.00995 else 0}f} ms"
    if seconds < 59.95:
        return f"{seconds:.{0 if seconds < 0.1 else 2 if seconds < 9.995 else 1}f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} h" if hours else f"{minutes}:{rest:02} min"


def format_number(value: float | None) -> str:
    """A figure with three digits that matter."""
    if value is None or math.isnan(value):
        return NOTHING
    if value and abs(value) < 0.00995:
        return f"{value:.1g}"
    return f"{value:,.{0 if abs(value) >= 99.95 or value == 0 else 1 if abs(value) >= 9.95 else 2}f}"


def format_size(mib: float | None) -> str:
    """An amount of bytes: ``3 KiB``, ``44.2 MiB``, ``1.25 GiB``."""
    if mib is None or math.isnan(mib):
        return NOTHING
    if 0 < mib < 1:
        return f"{max(mib * 1024, 1):.0f} KiB"
    return f"{mib / 1024:.2f} GiB" if mib >= 1024 else f"{format_number(mib)} {'MiB' if mib else 'B'}"


def format_change(mib: float | None) -> str:
    """By how much an amount of bytes is more: ``+60.0 MiB``; or less: ``-3 KiB``."""
    if not mib or math.isnan(mib):
        return format_size(mib)
    return f"{'-' if mib < 0 else '+'}{format_size(abs(mib))}"


def format_count(many: int, one: str, more: str | None = None) -> str:
    """So many of something: ``1 test``, ``2 tests``."""
    return f"{many:,} {one if many == 1 else more or one + 's'}"


def relative_path(path: Path, base_dir: Path) -> str:
    """A path as it is typed from there, where it is below."""
    return str(path.relative_to(base_dir) if path.is_relative_to(base_dir) else path)


def truncate_middle(text: str) -> str:
    """Text of a bearable length, cut in the middle: of a test's id both ends tell most."""
    half = (LONGEST - 1) // 2
    return text if len(text) <= LONGEST else f"{text[:half]}…{text[-half:]}"
