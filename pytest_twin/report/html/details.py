"""The articles of the page about single tests, and the section of those with a folder of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from markupsafe import Markup

from pytest_twin.analysis.run.attempts import AttemptSummary
from pytest_twin.analysis.run.panels import Panel, panels
from pytest_twin.analysis.run.run_summary import RunSummary, load_end
from pytest_twin.analysis.run.spans import RunSpan
from pytest_twin.loads.registry import load_text
from pytest_twin.model import event
from pytest_twin.model.duration_text import format_duration
from pytest_twin.report.html.markup import badge, definition_list, identity, join, markup
from pytest_twin.report.html.svg import area, scale
from pytest_twin.report.wording import format_change, format_count, format_size

MOST = 60
MOST_EVENTS = 30
TIMES = "Times of curves and events count from the start of the test."
AROUND = 0.1  # of its duration, before and behind
WHOLE = "CPU"  # always drawn up to 100 %: how busy a machine was is read from it
DRAWN = (WHOLE, "Memory")


def article_name(place: int) -> str:
    """Return the id of the article about the test of which this attempt is the first one that is shown."""
    return f"test-{place}"


def marked_tests(summary: RunSummary) -> list[int]:
    """Return the places of the tests that did not fail and have a folder of their own."""
    return [place for place, attempt in enumerate(summary.attempts) if attempt.folder and not attempt.is_bad]


def marked_links(marked: Sequence[int]) -> dict[int, str]:
    """Return for the place of each of these tests the id of its article."""
    return {place: article_name(place) for place in marked[:MOST]}


def marked_part(summary: RunSummary, marked: Sequence[int]) -> Markup:
    """Return an article for each of these tests."""
    articles = TestArticles(summary)
    more = markup(
        "<p>The first {} of {}; the others are in the table above and in tests.csv.</p>", MOST, f"{len(marked):,}"
    )
    found = join(articles.article(place) for place in marked[:MOST])
    return markup('{}<div class="details">{}</div>', more if len(marked) > MOST else "", found)


class TestArticles:
    """Makes the article about a test: its figures, its curves, and the events in its time."""

    __test__ = False

    def __init__(self, summary: RunSummary) -> None:
        self._summary = summary
        self._hosts = {own.host: (own, _drawn(own)) for own in summary.by_host}

    def article(self, place: int, lead: Markup = Markup("")) -> Markup:  # noqa: B008 - it is immutable
        """Return the article.

        Args:
            place: The index of the attempt.
            lead: What stands before its figures.
        """
        attempt = self._summary.attempts[place]
        own, drawn = self._hosts[attempt.host]
        show = markup(
            '<button type="button" data-show="{} {} {}">Show in the timeline</button>',
            f"{attempt.start_s:.3f}", f"{attempt.end_s:.3f}", list(self._hosts).index(attempt.host),
        )  # fmt: skip
        return markup(
            '<article id="{}"><div class="top">{}<h3>{}</h3>{}</div>{}{}<div class="pair">{}</div>{}</article>',
            article_name(place), badge(attempt.outcome), identity(attempt.nodeid), show, lead,
            definition_list(_figures(attempt)), join(_plot(own, attempt, panel) for panel in drawn),
            _events(own, attempt),
        )  # fmt: skip


def _drawn(summary: RunSummary) -> list[Panel]:
    return [panel for panel in panels(summary.run.samples, summary.times) if panel.name in DRAWN]


def _figures(attempt: AttemptSummary) -> Iterator[tuple[str, str | None]]:
    yield "began", f"+{format_duration(attempt.start_s)} of the run"
    yield "duration", format_duration(attempt.duration_s)
    for phase, seconds in (("set-up", attempt.setup_s), ("call", attempt.call_s), ("teardown", attempt.teardown_s)):
        yield phase, None if seconds is None else format_duration(seconds)
    yield "CPU time", None if attempt.cpu_s is None else format_duration(attempt.cpu_s)
    yield "CPU wait", None if attempt.cpu_wait_s is None else format_duration(attempt.cpu_wait_s)
    yield "memory growth", None if attempt.memory_growth_MB is None else format_change(attempt.memory_growth_MB)
    yield "memory kept", None if attempt.memory_kept_MB is None else format_change(attempt.memory_kept_MB)
    yield "peak memory", None if attempt.peak_memory_MB is None else format_size(attempt.peak_memory_MB)
    yield "read", format_size(attempt.read_MB) if attempt.read_MB else None
    yield "written", format_size(attempt.written_MB) if attempt.written_MB else None
    yield "load", attempt.load or None
    yield "budget", attempt.budget or None
    yield "host", attempt.host or None
    yield "worker", attempt.worker or None
    yield "attempt", str(attempt.number) if attempt.number > 1 else None
    yield "files", attempt.folder or None


def _plot(summary: RunSummary, attempt: AttemptSummary, panel: Panel) -> Markup:
    room = max(attempt.duration_s * AROUND, summary.interval_s or 0.0)
    left, right = max(0.0, attempt.start_s - room), attempt.end_s + room
    first = int(np.searchsorted(summary.times, left))
    last = int(np.searchsorted(summary.times, right, side="right")) + 1
    if last - first < 2:
        return Markup("")
    times = summary.times[first:last]
    curves = [curve._replace(values=curve.values[first:last]) for curve in panel.curves]
    stacked = sum(np.nan_to_num(curve.values) for curve in curves)
    top = 100.0 if panel.name == WHOLE and len(curves) > 1 else scale(np.asarray(stacked))
    about = f"{panel.name} of the host while {attempt.nodeid:.200} ran, from 0 to {top:.0f} %"
    plot = area(times, curves, top, (attempt.start_s, attempt.end_s), about, (left, right))
    words = join(markup('<span><i class="key k-{}"></i> {} </span>', curve.name, curve.name) for curve in curves)
    return markup(
        '<figure><figcaption><span>{} of the host, 0 to {:.0f} %</span><span>{}</span></figcaption>{}'
        '<div class="axis"><span>{}</span><span>{}</span></div></figure>',
        panel.name, top, words if len(curves) > 1 else Markup(""), plot,
        _at(left - attempt.start_s), _at(right - attempt.start_s),
    )  # fmt: skip


def _events(summary: RunSummary, attempt: AttemptSummary) -> Markup:
    """Return the loads, phases and notes during a test."""
    spans = [
        (span.start_s, _span(span, attempt.start_s))
        for span in summary.spans
        if span.start_s <= attempt.end_s and span.end_s >= attempt.start_s and _concerns(span, attempt)
    ]
    noted = [
        (note.at_s, markup("<li>{} {}</li>", _at(note.at_s - attempt.start_s), note.what))
        for note in summary.notes
        if attempt.start_s <= note.at_s <= attempt.end_s and note.test in {"", attempt.nodeid}
    ]
    found = [item for _, item in sorted([*spans, *noted], key=lambda pair: pair[0])]
    if len(found) > MOST_EVENTS:
        found[MOST_EVENTS:] = [
            markup("<li>and {} in annotations.csv</li>", format_count(len(found) - MOST_EVENTS, "more event"))
        ]
    return markup('<ul class="events">{}</ul>', join(found)) if found else Markup("")


def _concerns(span: RunSpan, attempt: AttemptSummary) -> bool:
    if span.type == event.TEST:
        return False
    return span.test in {"", attempt.nodeid}


def _span(span: RunSpan, since: float) -> Markup:
    held = markup("from {} to {}", _at(span.start_s - since), _at(span.end_s - since))
    if not span.is_load:
        return markup("<li>{} <b>{}</b>, {}</li>", span.type, span.what, held)
    achieved = markup(", achieved {}", load_end(span).achieved_text) if span.achieved else Markup("")
    return markup("<li><b>{}</b>, {}{}{}</li>", load_text(span.type, span.what), held, achieved, _trouble(span))


def _trouble(span: RunSpan) -> str:
    if span.state == event.END:
        return ""
    state = "aborted" if span.state == event.ABORT else span.state
    return f" – {state}: {span.detail.get('reason', 'no recorded end')}"  # noqa: RUF001


def _at(seconds: float) -> str:
    return f"{'-' if seconds < 0 else '+'}{format_duration(abs(seconds))}"
