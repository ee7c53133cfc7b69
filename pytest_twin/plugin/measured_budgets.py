"""The figures of budgets that were kept, for the terminal: what is not kept is in failures and warnings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_twin.model.csv_text import visible
from pytest_twin.report.wording import format_count, wrap_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

MEASURED = "twin_measured"  # the property of a report with the figure of a limit for which its test was repeated
MOST_TESTS = 10


def measured_lines(stats: Mapping[str, Sequence[Any]]) -> Iterator[str]:
    """Yield the slowdowns and percentiles within their limits, with the load that was achieved.

    Args:
        stats: The reports that pytest's terminal reporter has shown, by their category.
    """
    found: dict[str, dict[str, None]] = {}
    for report in (each for reports in stats.values() for each in reports):
        for name, value in getattr(report, "user_properties", ()):
            if name == MEASURED:
                found.setdefault(report.nodeid, {})[str(value)] = None
    if found:
        yield "within budget, as measured in repetitions"
    for nodeid, texts in list(found.items())[:MOST_TESTS]:
        yield f"  {visible(nodeid)}"
        for text in texts:
            yield from wrap_line(f"    {visible(text)}")
    if len(found) > MOST_TESTS:
        yield f"  … and {format_count(len(found) - MOST_TESTS, 'more test')}"
