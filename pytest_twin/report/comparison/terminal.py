"""A comparison as a table in the terminal."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pytest_twin.analysis.comparison.comparison import Comparison
from pytest_twin.report.comparison.wording import (
    broken_limit_lines,
    closing_line,
    limit_verdicts,
    named_tests,
    opening_lines,
    table_lines,
    tone,
)
from pytest_twin.report.console_text import console_text, print_line

if TYPE_CHECKING:
    from rich.console import Console

STYLES = {"worse": "red", "better": "green", "same": ""}
HEADING = "bold"
MOST = 100


def text(comparison: Comparison, *, plain: bool) -> str:
    """Return the table.

    Args:
        comparison: The comparison.
        plain: Without colours and with a fixed width, for a file; always so without a terminal.
    """
    return console_text(partial(_print, comparison), plain=plain)


def _print(comparison: Comparison, console: Console) -> None:
    for line in opening_lines(comparison):
        print_line(console, line)
    changed = comparison.changed
    for line, each in table_lines([*comparison.whole, *changed[:MOST]], console.width):
        print_line(console, line, STYLES[tone(each)] if each else HEADING)
    if len(changed) > MOST:
        print_line(console, f"… and {len(changed) - MOST} more")
    for listed in named_tests(comparison):
        print_line(console, f"{listed.title}: {len(listed.tests)}")
        for test in listed.tests[:MOST]:
            print_line(console, f"  {test}")
        if len(listed.tests) > MOST:
            print_line(console, f"  … and {len(listed.tests) - MOST} more")
    print_line(console, closing_line(comparison))
    for verdict in limit_verdicts(comparison):
        print_line(console, f"  {verdict.text}", "red" if verdict.is_kept is False else None)
    for line in broken_limit_lines(comparison):
        print_line(console, line, "bold red")
