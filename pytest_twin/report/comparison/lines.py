"""A comparison as plain lines for the end of a pytest session."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_twin.analysis.comparison.comparison import Comparison
from pytest_twin.report.comparison.wording import DifferenceRow, closing_line, named_tests, opening_lines, rows

MOST = 10


def lines(comparison: Comparison) -> Iterator[str]:
    """Yield the lines, with at most ten tests of each kind."""
    first, *others = opening_lines(comparison)
    yield f"compared: {first}"
    yield from others
    changed = comparison.changed
    shown = rows([*comparison.whole, *changed[:MOST]])
    widths = [max(len(row[at]) for row in shown) for at in range(1, len(DifferenceRow._fields))] if shown else []
    for test, *cells in shown:
        padded = (cell.rjust(width) for cell, width in zip(cells[:-1], widths, strict=False))
        yield f"{'  '.join((*padded, cells[-1].ljust(widths[-1])))}  {test}"
    if len(changed) > MOST:
        yield f"… and {len(changed) - MOST} more"
    for listed in named_tests(comparison):
        yield f"{listed.title}: {len(listed.tests)}"
        yield from (f"  {test}" for test in listed.tests[:MOST])
        if len(listed.tests) > MOST:
            yield f"  … and {len(listed.tests) - MOST} more"
    yield closing_line(comparison)
