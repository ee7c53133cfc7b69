"""The section of the page about the tests that failed: error, what stood out, command, traceback, curves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup

from pytest_twin.report.html.details import TestArticles, article_name
from pytest_twin.report.html.markup import block, copied_command, join, markup
from pytest_twin.report.rerun_command import rerun_command
from pytest_twin.report.wording import format_count

if TYPE_CHECKING:
    from pytest_twin.analysis.run.attempts import AttemptSummary
    from pytest_twin.analysis.run.run_summary import RunSummary
    from pytest_twin.model.attempt_failure import AttemptFailure

MOST, MOST_ERRORS = 60, 3
MOST_OPEN = 3  # tracebacks that are open when the page is opened
MOST_IN_NOTICE = 3

Failed = Mapping[int, Sequence[int]]  # the place of the first failed attempt of a test: those of all of them


def failed_tests(summary: RunSummary) -> Failed:
    """Return the failed tests in the order of their first failures."""
    by_test: dict[tuple[str, str], list[int]] = {(each.host, each.nodeid): [] for each in summary.failed}
    for place, attempt in enumerate(summary.attempts):
        if attempt.is_bad and (places := by_test.get((attempt.host, attempt.nodeid))) is not None:
            places.append(place)
    return {places[0]: places for places in by_test.values()}


def failure_links(failed: Failed) -> dict[int, str]:
    """Return for the place of each failed attempt the id of the article about its test."""
    return {place: article_name(first) for first, places in list(failed.items())[:MOST] for place in places}


def failures_part(summary: RunSummary, failed: Failed) -> Markup:
    """Return an article for each failed test."""
    articles = TestArticles(summary)
    shown = list(failed.items())[:MOST]
    found = join(
        articles.article(first, _lead(summary, places, is_open=number < MOST_OPEN))
        for number, (first, places) in enumerate(shown)
    )
    left = len(failed) - len(shown)
    more = markup("<p>… and {} in the table of tests and in tests.csv</p>", format_count(left, "more test"))
    return markup('<div class="details">{}</div>{}', found, more if left else "")


def failures_notice(summary: RunSummary, failed: Failed) -> Markup:
    """Return the first failed tests with their errors, linked to their articles; nothing if none failed."""
    if not failed:
        return Markup("")
    lines = join(
        markup(
            '<li><a href="#{}">{}</a> {}</li>',
            article_name(first), f"{summary.attempts[first].nodeid.rpartition('::')[2]:.100}",
            _message(_reported(summary, first)),
        )
        for first in list(failed)[:MOST_IN_NOTICE]
    )  # fmt: skip
    left = len(failed) - MOST_IN_NOTICE
    more = markup('<li><a href="#failures">and {}</a></li>', f"{left:,} more") if left > 0 else ""
    return markup('<div class="notice bad" role="note"><ul>{}{}</ul></div>', lines, more)


def _lead(summary: RunSummary, places: Sequence[int], *, is_open: bool) -> Markup:
    """Return the error, what stood out, the command that runs the test again, and the traceback."""
    attempt, reported = summary.attempts[places[0]], _reported(summary, places[0])
    sentence = summary.explanations.get(attempt.key, "")
    parts = [
        markup('<p class="error">{}</p>', _message(reported)) if reported else Markup(""),
        *_others(summary, places),
        markup('<p class="why"><span class="soft">While it ran:</span> {}</p>', sentence) if sentence else Markup(""),
        *_command(summary, attempt, reported),
        *(_text(_heading("Traceback", each), each.traceback, is_open=is_open) for each in reported if each.traceback),
        *(_text("Output", each.output, is_open=False) for each in reported[-1:] if each.output),
    ]
    return join(parts)


def _others(summary: RunSummary, places: Sequence[int]) -> Iterator[Markup]:
    """Yield how often the test failed if it ran more than once, with its different errors."""
    first = summary.attempts[places[0]]
    runs = sum((each.host, each.nodeid) == (first.host, first.nodeid) for each in summary.attempts)
    if runs < 2:
        return
    errors = Counter(_message(reported) for place in places if (reported := _reported(summary, place)))
    others = [f"{many} times: {error}" for error, many in errors.most_common(MOST_ERRORS)] if len(errors) > 1 else []
    yield markup("<p>{} of {} failed{}</p>", f"{len(places):,}", format_count(runs, "attempt"), _list(others))


def _list(lines: Sequence[str]) -> Markup:
    if not lines:
        return Markup("")
    return markup('<ul class="events">{}</ul>', join(markup("<li>{}</li>", line) for line in lines))


def _command(summary: RunSummary, attempt: AttemptSummary, reported: Sequence[AttemptFailure]) -> Iterator[Markup]:
    spans = [span for span in summary.spans if span.host == attempt.host]
    if reported and (command := rerun_command(reported[0], attempt, spans)):
        yield copied_command(command)


def _heading(name: str, failure: AttemptFailure) -> str:
    return name if failure.phase in {"", "call"} else f"{name} of the {failure.phase}"


def _text(heading: str, text: str, *, is_open: bool) -> Markup:
    opened = Markup(" open") if is_open else Markup("")
    return markup("<details{}><summary>{}</summary>{}</details>", opened, heading, block(text))


def _reported(summary: RunSummary, place: int) -> Sequence[AttemptFailure]:
    return summary.failures.get(summary.attempts[place].key, ())


def _message(reported: Sequence[AttemptFailure]) -> str:
    return "; ".join(f"{_phase(each)}{each.message}" for each in reported)


def _phase(failure: AttemptFailure) -> str:
    return "" if failure.phase in {"", "call"} else f"{failure.phase}: "
