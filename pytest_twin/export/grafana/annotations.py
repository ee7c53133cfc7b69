"""The exact borders of what happened in a run, as annotations of Grafana."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from pytest_twin.analysis.run.by_host import on_host
from pytest_twin.loads.registry import load_text
from pytest_twin.model import event

if TYPE_CHECKING:
    from pytest_twin.analysis.run.attempts import AttemptSummary
    from pytest_twin.analysis.run.run_summary import RunSummary
    from pytest_twin.analysis.run.spans import RunSpan

TAG = "pytest-twin"  # of all annotations; the dashboard asks for it
LONGEST = 500  # characters of a text


class Annotation(NamedTuple):
    """An annotation; it is a region if its end is after its start.

    Attributes:
        start_ms: The start, in milliseconds since 1970.
        end_ms: The end, in milliseconds since 1970.
        text: What happened, as HTML.
        tags: The tags: that of all annotations of runs, that of the run, what it is, and of which kind.
    """

    start_ms: int
    end_ms: int
    text: str
    tags: tuple[str, ...]


def tag_of(summary: RunSummary) -> str:
    """Return the tag of a run, with its start.

    Raises:
        ValueError: The run has no rows.
    """
    if summary.began is None:
        raise ValueError("the run has no rows")
    return f"run:{summary.began.isoformat(timespec='milliseconds').replace('+00:00', 'Z')}"


def annotations_of(summary: RunSummary) -> list[Annotation]:
    """Return the annotations of a run in time order: loads, constraints, phases, notes, and tests that went wrong."""
    if summary.began is None:
        return []
    found = [*map(_of_span, filter(_is_shown, summary.spans)), *map(_of_test, summary.attempts), *_notes(summary)]
    origin_s, run = summary.began.timestamp(), tag_of(summary)
    return sorted(
        Annotation(
            round((origin_s + start_s) * 1000),
            round((origin_s + end_s) * 1000),
            _html(text),
            (TAG, run, *filter(None, tags)),
        )
        for start_s, end_s, text, tags in filter(None, found)
    )


_Found = tuple[float, float, str, tuple[str, ...]]  # start and end in seconds since the run began, text, tags


def _is_shown(span: RunSpan) -> bool:
    return span.is_load or span.type == event.PHASE


def _of_span(span: RunSpan) -> _Found:
    where = on_host(span.host)
    if not span.is_load:
        return span.start_s, span.end_s, f"{span.what or span.type}{where}", (event.PHASE,)
    achieved = f", achieved {span.achieved}" if span.achieved else ""
    ended = "" if span.state == event.END else f" ({span.state})"
    of_test = f", {span.test}" if span.test else ""
    text = f"{load_text(span.type, span.what)}{achieved}{ended}{of_test}{where}"
    is_constraint = span.type == event.CONSTRAINT
    return span.start_s, span.end_s, text, (span.type,) if is_constraint else ("load", span.type)


def _of_test(attempt: AttemptSummary) -> _Found | None:
    if not attempt.is_bad:
        return None
    text = f"{attempt.nodeid} {attempt.outcome}{on_host(attempt.host)}"
    return attempt.start_s, attempt.end_s, text, (event.TEST, attempt.outcome)


def _notes(summary: RunSummary) -> Iterator[_Found]:
    for note in summary.notes:
        yield note.at_s, note.at_s, f"{note.what}{on_host(note.host)}", (event.NOTE,)


def _html(text: str) -> str:
    """Return a text as Grafana shows it, which takes it for HTML."""
    line = " ".join(text.split())
    return escape(line if len(line) <= LONGEST else f"{line[: LONGEST - 3]}...", quote=False)
