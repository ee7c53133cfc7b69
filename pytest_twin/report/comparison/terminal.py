"""A comparison as a table in the terminal."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from pytest_twin.analysis.comparison.comparison import Comparison
from pytest_twin.report.comparison.wording import (
    HEADINGS,
    NUMBERS,
    broken_limit_lines,
    closing_line,
    named_tests,
    opening_lines,
    rows,
    tone,
)
from pytest_twin.report.console_text import console_text

if TYPE_CHECKING:
    from rich.console import Console

STYLES = {"worse": "red", "better": "green", "same": ""}
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
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    console.print(_table(comparison))
    for listed in named_tests(comparison):
        console.print(f"{listed.title}: {len(listed.tests)}", highlight=False)
        for test in listed.tests[:MOST]:
            console.print(f"  {test}", markup=False, highlight=False, soft_wrap=True)
        if len(listed.tests) > MOST:
            console.print(f"  … and {len(listed.tests) - MOST} more", highlight=False)
    console.print(closing_line(comparison), highlight=False)
    for line in broken_limit_lines(comparison):
        console.print(line, style="bold red", markup=False, highlight=False, soft_wrap=True)


def _table(comparison: Comparison) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in HEADINGS:
        table.add_column(name, justify="right" if name in NUMBERS else "left", overflow="fold")
    changed = comparison.changed
    shown = [*comparison.whole, *changed[:MOST]]
    for each, cells in zip(shown, rows(shown), strict=True):
        table.add_row(*map(escape, cells), style=STYLES[tone(each)])
    if len(changed) > MOST:
        table.add_row(f"… and {len(changed) - MOST} more")
    return table
