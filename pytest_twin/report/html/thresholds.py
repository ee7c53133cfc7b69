"""Passed and failed thresholds on top of the page: budgets, flaky tests, limits of comparisons, gates of replays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup

from pytest_twin.analysis.fidelity.gates import FAILED
from pytest_twin.model.attempt_row import WITHIN_BUDGET
from pytest_twin.model.flaky_row import BREAKS, BY_CHANCE, NOT_ALONE
from pytest_twin.report.comparison.wording import broken_limit_lines, closing_line, limit_verdicts
from pytest_twin.report.fidelity.wording import describe_verdict, failure_lines
from pytest_twin.report.flaky_findings import describe_findings, group_findings
from pytest_twin.report.html.markup import join, markup
from pytest_twin.report.wording import describe_budgets

if TYPE_CHECKING:
    from pytest_twin.analysis.run.run_summary import RunSummary

MOST = 5  # lines of one kind
LOOKS = {True: ("kept", "✓"), False: ("broken", "✗"), None: ("unjudged", "–")}  # noqa: RUF001 - as in the table of the gates


class Threshold(NamedTuple):
    """A line about thresholds of one kind.

    Attributes:
        is_kept: Whether they are kept; None where they could not be judged.
        text: The line.
        section: The section of the page with more.
    """

    is_kept: bool | None
    text: str
    section: str


def thresholds(summary: RunSummary) -> Markup:
    """Return the list; nothing if the run has no threshold."""
    lines = join(
        markup(
            '<li class="{}"><b>{}</b> <a href="#{}">{}</a></li>',
            *LOOKS[each.is_kept], each.section, f"{each.text:.300}",
        )
        for each in (*_budgets(summary), *_flaky(summary), *_limits(summary), *_gates(summary))
    )  # fmt: skip
    return markup('<ul class="thresholds" aria-label="Thresholds">{}</ul>', lines) if lines else Markup("")


def _budgets(summary: RunSummary) -> Iterator[Threshold]:
    if not (text := describe_budgets(summary)):
        return
    broken = [attempt for attempt in summary.attempts if attempt.budget not in WITHIN_BUDGET]
    yield Threshold(not broken, f"Budgets: {text}", "budgets")
    yield from (Threshold(False, f"{each.nodeid}: {each.budget}", "budgets") for each in broken[:MOST])


def _flaky(summary: RunSummary) -> Iterator[Threshold]:
    """Yield the verdict of a search for flaky tests: kept if all tests hold, unjudged if of some it is not known."""
    if not summary.flaky:
        return
    findings = group_findings(summary.flaky)
    broken = [each for each in findings if each.verdict in {BREAKS, BY_CHANCE, NOT_ALONE}]
    is_kept = False if broken else None if any(each.needs_attention for each in findings) else True
    yield Threshold(is_kept, f"Flaky tests: {describe_findings(findings)}", "flaky")
    yield from (Threshold(False, f"{each.nodeid} {each.conclusion}", "flaky") for each in broken[:MOST])


def _limits(summary: RunSummary) -> Iterator[Threshold]:
    if summary.comparison is None:
        return
    verdicts, beside = list(limit_verdicts(summary.comparison)), f"Comparison with {summary.comparison.names[0]}"
    if not verdicts:
        yield Threshold(True, f"{beside}: {closing_line(summary.comparison)}", "compared")
    yield from (Threshold(each.is_kept, f"{beside}: {each.text}", "compared") for each in verdicts)
    yield from (Threshold(False, line, "compared") for line in broken_limit_lines(summary.comparison)[:MOST])


def _gates(summary: RunSummary) -> Iterator[Threshold]:
    if summary.fidelity is None:
        return
    verdict = f"Replay of {summary.fidelity.names[0]}: {describe_verdict(summary.fidelity)}"
    yield Threshold(summary.fidelity.verdict != FAILED, verdict, "fidelity")
    lines = list(failure_lines(summary.fidelity))
    yield from (Threshold(False, line, "fidelity") for line in lines[:MOST])
