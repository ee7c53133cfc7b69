"""A comparison as Markdown, for a comment or a job's summary."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pytest_twin.analysis.comparison import Comparison
from pytest_twin.report.comparison.words import HEADINGS, broken, closing, lists, opening, rows

MOST = 200  # a comment on GitHub has room for 65,536 characters


def markdown(comparison: Comparison) -> str:
    """The text."""
    return "\n".join(lines(comparison, "## ", MOST)) + "\n"


def lines(comparison: Comparison, heading: str, most: int) -> Iterator[str]:
    """Its lines, under the first of them.

    Args:
        comparison: What to tell.
        heading: What stands before the first line.
        most: How many rows, and tests of a list, there is room for.
    """
    first, *others = opening(comparison)
    yield from (f"{heading}{_text(first)}", "")
    for line in (*others, closing(comparison)):
        yield from (_text(line), "")
    for line in broken(comparison)[:most]:
        yield f"- **{_text(line)}**"
    if comparison.broken:
        yield ""
    told = comparison.told
    yield from (_cells(HEADINGS), _cells(["---", "---", "---:", "---:", "---:", "---", "---"]))
    yield from (_cells([_text(cell) for cell in row]) for row in rows([*comparison.whole, *told[:most]]))
    if len(told) > most:
        yield from ("", f"and {len(told) - most} more")
    for listed in lists(comparison):
        yield from ("", f"**{_text(listed.title)}** ({len(listed.tests)})", "")
        yield from (f"- {_text(test)}" for test in listed.tests[:most])
        if len(listed.tests) > most:
            yield f"- and {len(listed.tests) - most} more"


def _cells(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _text(text: str) -> str:
    """Text in which nothing means anything to Markdown or HTML."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|~&@])", lambda found: f"&#{ord(found[1])};", text)
