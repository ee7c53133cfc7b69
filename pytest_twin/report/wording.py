"""Format figures as text for all reports."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from pytest_twin.analysis.run.totals import last_attempts, number_of_tests
from pytest_twin.model.attempt_row import KEPT
from pytest_twin.model.duration_text import NOTHING

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_twin.analysis.run.run_summary import RunSummary

LONGEST = 160  # characters of a test's id
TERMINAL_WIDTH = 80  # where there is no terminal
NARROWEST = 40  # a table needs some room, whatever a terminal says of itself


def headline(summary: RunSummary) -> str:
    """Return the outcome of a run in a few words, failures first."""
    outcomes = summary.outcomes
    if not outcomes:
        if summary.flaky:
            return "A search for flaky tests"
        if len(summary.times):
            return "A recording without tests"
        return "Events without samples" if summary.spans or summary.notes else "Nothing was recorded"
    went = ", ".join(f"{many:,} {outcome}" for outcome, many in outcomes.items())
    return f"{describe_attempts(summary)}: {went}" if is_repeated(summary) else went


def describe_attempts(summary: RunSummary) -> str:
    """Return the number of tests, and of attempts if tests were repeated."""
    tests = format_count(number_of_tests(summary.attempts), "test")
    return f"{tests} in {len(summary.attempts):,} attempts" if is_repeated(summary) else tests


def is_repeated(summary: RunSummary) -> bool:
    """Tell whether a test ran more than once."""
    return number_of_tests(summary.attempts) < len(summary.attempts)


def describe_budgets(summary: RunSummary) -> str:
    """Return how many tests are within their budget; empty if none has one."""
    verdicts = [attempt.budget for attempt in last_attempts(each for each in summary.attempts if each.budget)]
    kept, tests = verdicts.count(KEPT), format_count(len(verdicts), "test")
    return f"{kept:,} of {tests} with a budget {'is' if kept == 1 else 'are'} within it." if verdicts else ""


def describe_machine(fingerprint: Mapping[str, Any] | None) -> list[str]:
    """Return the known facts of a machine."""
    found = fingerprint or {}
    cpu, memory, system = (part if isinstance(part, dict) else {} for part in map(found.get, ("cpu", "memory", "os")))
    facts = [cpu.get("model"), format_count(cpu["logical"], "CPU") if isinstance(cpu.get("logical"), int) else None]
    facts += [f"{memory['total_GB']:.1f} GiB" if isinstance(memory.get("total_GB"), int | float) else None]
    return [str(fact) for fact in (*facts, system.get("name") or system.get("system")) if fact]


def describe_machines(summary: RunSummary) -> list[str]:
    """Return the facts of the machine, or the number of hosts if there are several."""
    return [format_count(len(summary.hosts), "host")] if summary.hosts else describe_machine(summary.run.fingerprint)


def format_number(value: float | None) -> str:
    """Format a number with three significant digits."""
    if value is None or math.isnan(value):
        return NOTHING
    if value and abs(value) < 0.00995:
        return f"{value:.1g}"
    return f"{value:,.{0 if abs(value) >= 99.95 or value == 0 else 1 if abs(value) >= 9.95 else 2}f}"


def format_size(mib: float | None) -> str:
    """Format an amount of MiB: ``3 KiB``, ``44.2 MiB``, ``1.25 GiB``."""
    if mib is None or math.isnan(mib):
        return NOTHING
    if 0 < mib < 1:
        return f"{max(mib * 1024, 1):.0f} KiB"
    return f"{mib / 1024:.2f} GiB" if mib >= 1024 else f"{format_number(mib)} {'MiB' if mib else 'B'}"


def format_change(mib: float | None) -> str:
    """Format the change of an amount of MiB: ``+60.0 MiB`` or ``-3 KiB``."""
    if not mib or math.isnan(mib):
        return format_size(mib)
    return f"{'-' if mib < 0 else '+'}{format_size(abs(mib))}"


def format_count(many: int, one: str, more: str | None = None) -> str:
    """Format a count: ``1 test``, ``2 tests``."""
    return f"{many:,} {one if many == 1 else more or one + 's'}"


def relative_path(path: Path, base_dir: Path) -> str:
    """Return a path relative to a directory, if it is below it."""
    return str(path.relative_to(base_dir) if path.is_relative_to(base_dir) else path)


def truncate_middle(text: str, longest: int = LONGEST) -> str:
    """Shorten a long text in the middle: both ends of a test id matter most."""
    half = (longest - 1) // 2
    return text if len(text) <= longest else f"{text[:half]}…{text[-half:]}"


def terminal_width() -> int:
    """Return the number of columns to print to: ``COLUMNS``, or those of the terminal of standard output."""
    return max(NARROWEST, shutil.get_terminal_size((TERMINAL_WIDTH, 24)).columns)


def wrap_line(text: str, width: int | None = None) -> list[str]:
    """Break a line between words; what continues it is indented by two spaces more. Words, such as paths, stay whole.

    Args:
        text: The line.
        width: The largest width; None is that of the terminal.
    """
    width = terminal_width() if width is None else width
    if len(text) <= width:
        return [text]
    indent = " " * (len(text) - len(text.lstrip()))
    return wrap(
        text.lstrip(), width, initial_indent=indent, subsequent_indent=f"{indent}  ", break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip


def align(table: Sequence[Sequence[str]], *, last_left: bool = True) -> list[str]:
    """Return rows of cells as lines with aligned columns, without columns that are empty below the heading.

    Args:
        table: The rows, the heading first.
        last_left: Align the last column to the left, as words are; the first one always is, the others never.
    """
    columns = [column for column in zip(*table, strict=True) if any(column[1:])]
    widths = [max(map(len, column)) for column in columns]
    left = {0, *([len(columns) - 1] if last_left else [])}
    return [
        "  ".join(
            cell.ljust(width) if at in left else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ).rstrip()
        for cells in zip(*columns, strict=True)
    ]
