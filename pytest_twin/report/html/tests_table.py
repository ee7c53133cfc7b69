"""The table of tests: the data that the page builds its rows from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pytest_twin.analysis.run.attempts import small_curves, waits
from pytest_twin.analysis.run.by_host import display_name
from pytest_twin.analysis.run.run_summary import RunSummary
from pytest_twin.model.counter_window import SELDOM_S
from pytest_twin.model.time_axis import Values
from pytest_twin.report.html.markup import join, markup
from pytest_twin.report.wording import describe_attempts, is_repeated

if TYPE_CHECKING:
    from markupsafe import Markup


class TableColumn(NamedTuple):
    """A column of the table."""

    name: str
    heading: str
    by: str  # what it is sorted by; empty for not at all
    is_number: bool = False


COLUMNS = (
    TableColumn("nodeid", "Test", "nodeid"),
    TableColumn("outcome", "Outcome", "outcome"),
    TableColumn("on", "Host", "on"),
    TableColumn("worker", "Worker", "worker"),
    TableColumn("start", "Began", "start", is_number=True),
    TableColumn("duration", "Duration", "duration", is_number=True),
    TableColumn("cpu", "CPU time", "cpu", is_number=True),
    TableColumn("memory", "Memory growth", "memory", is_number=True),
    TableColumn("kept", "Memory kept", "kept", is_number=True),
    TableColumn("waited", "CPU wait", "waited", is_number=True),
    TableColumn("pressure", "CPU pressure", "pressure", is_number=True),
    TableColumn("throttled", "Throttled", "throttled", is_number=True),
    TableColumn("peak", "Peak memory", "peak", is_number=True),
    TableColumn("written", "Written", "written", is_number=True),
    TableColumn("load", "Load", "load"),
    TableColumn("budget", "Budget", "budget"),
    TableColumn("curve", "CPU over time", ""),
    TableColumn("show", "", ""),
)
OPTIONAL = {  # the value that each of these columns needs
    "worker": "worker",
    "written": "written_MB",
    "load": "load",
    "memory": "memory_growth_MB",
    "cpu": "cpu_s",
    "budget": "budget",
    "waited": "cpu_wait_s",
    "throttled": "throttled_s",
    "kept": "memory_kept_MB",
}
DIGITS = 61  # of a small curve, from the letter 0 on
LETTERS = [chr(ord("0") + digit) for digit in range(DIGITS + 1)]
LONGEST_ID = 5000
PRESSURE = "pressure_cpu_percent"
TABLE = """<div class="tools">
<input type="search" id="tests-search" placeholder="Search tests and loads" aria-label="Search tests and loads">
<select id="tests-outcome" aria-label="Outcome"><option value="">all outcomes</option>{outcomes}</select>
<select id="tests-sort" class="phone-only" aria-label="Sort by">{sorts}</select>
<span class="small soft number" id="tests-told" role="status"></span>
<button type="button" id="tests-back" aria-label="Previous page of tests">←</button>
<button type="button" id="tests-on" aria-label="Next page of tests">→</button></div>
<table id="tests-table"><thead><tr>{heads}</tr></thead><tbody></tbody></table>
<p class="paper-only" id="tests-rest"></p>
<noscript><p>The table needs JavaScript; the same figures are in tests.csv.</p></noscript>"""
FAILURES_FIRST = "first"  # the order in which the table stands first: failures, then the most CPU time


class TestsTable:
    """The table of the tests of a run."""

    __test__ = False

    def __init__(self, summary: RunSummary) -> None:
        self._summary = summary
        self._pressure = summary.woven(_pressure)

    def data(self, lanes: Sequence[int], details: Mapping[int, str]) -> dict[str, Any]:
        """Return the figures of the tests, a list for each column."""
        summary, found = self._summary, self._summary.attempts
        own, host, scale = _curves(summary)
        hosts = {"on": [display_name(attempt.host) for attempt in found]} if summary.hosts else {}
        return {
            "nodeid": [attempt.nodeid[:LONGEST_ID] for attempt in found],
            "attempt": [attempt.number for attempt in found],
            **hosts,
            "worker": [attempt.worker or None for attempt in found],
            "start": [round(attempt.start_s, 3) for attempt in found],
            "duration": [round(attempt.duration_s, 4) for attempt in found],
            "cpu": [_rounded(attempt.cpu_s, 4) for attempt in found],
            "memory": [_rounded(attempt.memory_growth_MB, 3) for attempt in found],
            "kept": [_rounded(attempt.memory_kept_MB, 3) for attempt in found],
            "waited": [_rounded(attempt.cpu_wait_s, 4) for attempt in found],
            "pressure": [_rounded(share, 0) for share in self._pressure],
            "throttled": [_rounded(attempt.throttled_s, 4) for attempt in found],
            "peak": [_rounded(attempt.peak_memory_MB, 1) for attempt in found],
            "written": [_rounded(attempt.written_MB, 3) for attempt in found],
            "load": [attempt.load or None for attempt in found],
            "budget": [attempt.budget or None for attempt in found],
            "lane": list(lanes),
            "detail": [details.get(place) for place in range(len(found))],
            "own": [_letters(points, scale) for points in own],
            "host": [_letters(points, scale) for points in host],
        }

    def part(self) -> Markup:
        """Return the table without its rows, with its search and sort controls."""
        columns = [column for column in COLUMNS if self._has(column.name)]
        return markup(
            TABLE,
            outcomes=join(_outcomes(self._summary)),
            sorts=markup('<option value="{}">failures first</option>', FAILURES_FIRST)
            + join(markup('<option value="{}">by {}</option>', c.by, c.heading.lower()) for c in columns if c.by),
            heads=join(map(_head, columns)),
        )

    def description(self) -> str:
        """Return the sentence above the table."""
        sentence = f"{describe_attempts(self._summary)}. CPU time is that of the test process and its children"
        sentence += "; the small curve shows the tests' share of the host in blue and the whole host as a line."
        if self._has("waited"):
            sentence += " CPU wait is the time for which the thread of the test was runnable and had no CPU."
        if self._has("pressure"):
            sentence += " CPU pressure is the share of its time in which some task of the host waited for a CPU."
        if is_repeated(self._summary):
            sentence += " Of a test that ran several times, figures are medians, and bars show how long each run took."
        return sentence

    def _has(self, name: str) -> bool:
        """Tell whether an optional column has a value."""
        summary = self._summary
        if name == "curve":
            return len(summary.times) > 0
        if name == "on":
            return len(summary.hosts) > 0
        if name == "pressure":  # it is of all tasks, and tells less than the wait of the test itself
            return not self._has("waited") and any(share is not None for share in self._pressure)
        if name == "peak":  # it is of all that the process held; what the test added is not known of an old run
            return not summary.tells_growth and any(attempt.peak_memory_MB for attempt in summary.attempts)
        return name not in OPTIONAL or any(getattr(attempt, OPTIONAL[name]) for attempt in summary.attempts)


def _outcomes(summary: RunSummary) -> Iterator[Markup]:
    """Yield a choice for each outcome, with the number of rows that it shows."""
    if bad := sum(attempt.is_bad for attempt in summary.attempts):
        yield markup('<option value="bad">failed or unfinished ({})</option>', bad)
    for name, many in Counter(attempt.outcome for attempt in summary.attempts).items():
        if name:
            yield markup('<option value="{}">{} ({})</option>', name, name, many)


def _head(column: TableColumn) -> Markup:
    kind = f"c-{column.name}" + (" number" if column.is_number else "")
    if not column.by:
        return markup('<th scope="col" class="{}" data-column="{}">{}</th>', kind, column.name, column.heading)
    return markup(
        '<th scope="col" class="{}" data-column="{}" data-by="{}" aria-sort="none">'
        '<button type="button">{}</button></th>',
        kind, column.name, column.by, column.heading,
    )  # fmt: skip


def _pressure(summary: RunSummary) -> list[float | None]:
    return waits(summary.attempts, summary.times, _column(summary, PRESSURE), SELDOM_S)


def _curves(summary: RunSummary) -> tuple[list[list[float]], list[list[float]], float]:
    """Return the small curves of the CPU of tests and host, and the value at their upper edge."""
    own, host = (summary.woven(partial(_curves_of, column=name)) for name in ("tests_cpu_percent", "cpu_percent"))
    return own, host, max((max(points) for points in (*own, *host) if points), default=1.0) or 1.0


def _curves_of(summary: RunSummary, column: str) -> list[list[float]]:
    return small_curves(summary.attempts, summary.times, _column(summary, column))


def _column(summary: RunSummary, name: str) -> Values:
    if name not in summary.run.samples:
        return np.full(len(summary.times), np.nan)
    values: Values = summary.run.samples[name].to_numpy(dtype=float, na_value=np.nan)
    return values


def _letters(points: Sequence[float], top: float) -> str:
    return "".join(LETTERS[round(min(1.0, point / top) * DIGITS)] for point in points)


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
