"""A comparison as plain lines for the end of a pytest session."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_twin.analysis.comparison.comparison import Comparison
from pytest_twin.report.comparison.wording import (
    closing_line,
    limit_verdicts,
    named_tests,
    opening_lines,
    table_lines,
)
from pytest_twin.report.wording import TERMINAL_WIDTH

MOST = 10


def lines(comparison: Comparison) -> Iterator[str]:
    """Yield the lines, with at most ten tests of each kind."""
    first, *others = opening_lines(comparison)
    yield f"compared: {first}"
    yield from others
    changed = comparison.changed
    yield from (line for line, _ in table_lines([*comparison.whole, *changed[:MOST]], TERMINAL_WIDTH))
    if len(changed) > MOST:
        yield f"… and {len(changed) - MOST} more"
    for listed in named_tests(comparison):
        yield f"{listed.title}: {len(listed.tests)}"
        yield from (f"  {test}" for test in listed.tests[:MOST])
        if len(listed.tests) > MOST:
            yield f"  … and {len(listed.tests) - MOST} more"
    yield closing_line(comparison)
    yield from (f"  {each.text}" for each in limit_verdicts(comparison))
