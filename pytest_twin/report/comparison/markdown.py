"""A comparison as Markdown for a comment or a job summary."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_twin.analysis.comparison.comparison import Comparison
from pytest_twin.report.comparison.wording import (
    HEADINGS,
    NUMBERS,
    broken_limit_lines,
    closing_line,
    limit_verdicts,
    named_tests,
    opening_lines,
    rows,
)
from pytest_twin.report.markdown_escape import escape, table_row

MOST = 200  # a comment on GitHub has room for 65,536 characters


def markdown(comparison: Comparison) -> str:
    """Return the comparison as Markdown."""
    return "\n".join(lines(comparison, "## ", MOST)) + "\n"


def lines(comparison: Comparison, heading: str, most: int) -> Iterator[str]:
    """Yield its lines.

    Args:
        comparison: The comparison.
        heading: The prefix of the first line.
        most: The maximum number of rows, and of tests in a list.
    """
    first, *others = opening_lines(comparison)
    yield from (f"{heading}{escape(first)}", "")
    for each in (*others, closing_line(comparison)):
        yield from (escape(each), "")
    verdicts = [f"- {escape(each.text)}" for each in limit_verdicts(comparison)]
    broken = [f"- **{escape(each)}**" for each in broken_limit_lines(comparison)[:most]]
    yield from (*verdicts, *broken, *([""] if verdicts else []))
    changed = comparison.changed
    yield from (table_row(HEADINGS), table_row(["---:" if name in NUMBERS else "---" for name in HEADINGS]))
    yield from (table_row([escape(cell) for cell in row]) for row in rows([*comparison.whole, *changed[:most]]))
    if len(changed) > most:
        yield from ("", f"and {len(changed) - most} more")
    for listed in named_tests(comparison):
        yield from ("", f"**{escape(listed.title)}** ({len(listed.tests)})", "")
        yield from (f"- {escape(test)}" for test in listed.tests[:most])
        if len(listed.tests) > most:
            yield f"- and {len(listed.tests) - most} more"
