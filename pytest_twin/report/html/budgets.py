"""The part of the page that tells which budgets were kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_twin.analysis.run.by_host import on_host
from pytest_twin.report.html.markup import identity, joined, markup
from pytest_twin.report.wording import KEPT

if TYPE_CHECKING:
    from markupsafe import Markup

    from pytest_twin.analysis.run.story import RunSummary

MOST = 200


def budgets_part(story: RunSummary) -> Markup:
    """The tests that were over their budget, or of which that could not be told."""
    found = [attempt for attempt in story.attempts if attempt.budget not in {"", KEPT}]
    rows = joined(
        markup("<tr><td>{}{}</td><td>{}</td></tr>", identity(attempt.nodeid), on_host(attempt.host), attempt.budget)
        for attempt in found[:MOST]
    )
    more = markup("<p>… and {} more in tests.csv</p>", f"{len(found) - MOST:,}") if len(found) > MOST else ""
    if not found:
        return markup("")
    return markup(
        '<div class="scroll"><table><thead><tr><th scope="col">Test</th><th scope="col">Over, or not told</th></tr>'
        "</thead><tbody>{}</tbody></table></div>{}",
        rows, more,
    )  # fmt: skip
