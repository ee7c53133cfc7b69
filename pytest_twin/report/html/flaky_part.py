"""The section of the page about the search for resource-affected tests, from the rows of flaky.csv."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pytest_twin.model.csv_text import parse_number
from pytest_twin.model.flaky_row import BREAKS
from pytest_twin.report.flaky_findings import (
    FlakyFinding,
    Row,
    format_failures,
    format_interval,
    format_seconds,
)
from pytest_twin.report.html.markup import TableHead, block, copied_command, identity, join, markup, stacked_table

if TYPE_CHECKING:
    from markupsafe import Markup

Failures = Mapping[str, Mapping[str, str]]
MOST, MOST_HOLDING = 60, 200
LONGEST_TEXT = 20_000  # characters of a traceback
NOT_ALONE = "beside others only"  # a failure there is a hint, and does not count
HEADS = (
    TableHead("Condition"),
    TableHead("Failed", is_number=True),
    TableHead("95 % interval", is_number=True),
    TableHead("Duration", is_number=True),
    TableHead("Range"),
    TableHead("CPU time", is_number=True),
    TableHead("Throttled", is_number=True),
    TableHead("Waited for a CPU", is_number=True),
    TableHead("Waited for a disk", is_number=True),
)


def flaky_part(findings: Sequence[FlakyFinding], failures: Failures) -> Markup:
    """Return an article for each test that does not hold, and a table of those that do.

    Args:
        findings: The findings of the search.
        failures: The report of the first failure by test and condition.
    """
    affected = [each for each in findings if each.needs_attention]
    holding = [each for each in findings if not each.needs_attention]
    articles = join(_article(each, failures.get(each.rows[0].get("nodeid", ""), {})) for each in affected[:MOST])
    more = markup("<p>… and {} more in flaky.csv</p>", f"{len(affected) - MOST:,}") if len(affected) > MOST else ""
    return markup('<div class="details">{}</div>{}{}', articles, more, _holding(holding))


def _article(finding: FlakyFinding, failures: Mapping[str, str]) -> Markup:
    """Return the verdict on a test, the command that reproduces it, its figures and its first failure."""
    lead = "Run it more often" if finding.is_suspect else "Reproduce it"
    command = copied_command(finding.command, f"{lead}: ") if finding.command else ""
    outcome = "failed" if finding.verdict == BREAKS else "skipped"
    return markup(
        '<article><div class="top">{}<h3>{}</h3></div><p class="why">{}</p>{}{}{}</article>',
        markup('<span class="badge {}">{}</span>', outcome, finding.verdict), identity(finding.nodeid),
        f"{finding.conclusion[:1].upper()}{finding.conclusion[1:]}.", command, _table(finding),
        _failure(finding, failures),
    )  # fmt: skip


def _table(finding: FlakyFinding) -> Markup:
    longest = max((parse_number(row.get("duration_max_s")) or 0.0 for row in finding.rows), default=0.0)
    decisive = next((place for place, row in enumerate(finding.rows) if row is finding.decisive), None)
    return stacked_table(HEADS, (_cells(row, longest) for row in finding.rows), decisive)


def _cells(row: Row, longest: float) -> list[object]:
    failed = format_failures(row) if parse_number(row.get("runs")) else NOT_ALONE
    used = (format_seconds(row.get(name)) for name in ("cpu_s", "throttled_s", "cpu_wait_s", "disk_wait_s"))
    duration = format_seconds(row.get("duration_s"))
    return [row.get("condition", ""), failed, format_interval(row), duration, _range_bar(row, longest), *used]


def _range_bar(row: Row, longest: float) -> Markup:
    """Return the shortest, the median and the longest duration as a bar, on the scale of the longest of the test."""
    names = ("duration_min_s", "duration_s", "duration_max_s")
    found = [value for name in names if (value := parse_number(row.get(name))) is not None]
    if len(found) < len(names) or longest <= 0:
        return markup("")
    low, middle, high = (value / longest * 100 for value in found)
    return markup(
        '<svg class="range" viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<path d="M{:.1f},5H{:.1f}"/><path class="middle" d="M{:.1f},0V10"/></svg>',
        f"{format_seconds(row.get(names[0]))} to {format_seconds(row.get(names[2]))}", low, max(high, low + 0.5),
        min(max(middle, 0.5), 99.5),
    )  # fmt: skip


def _failure(finding: FlakyFinding, failures: Mapping[str, str]) -> Markup:
    """Return the report of the first failure under the decisive condition, or under any other."""
    condition = finding.decisive.get("condition", "")
    text = failures.get(condition) or next(iter(failures.values()), "")
    if not text:
        return markup("")
    return markup(
        "<details><summary>First failure: {}</summary>{}</details>",
        finding.decisive.get("error") or next((row["error"] for row in finding.rows if row.get("error")), ""),
        block(text[-LONGEST_TEXT:]),
    )


def _holding(findings: Sequence[FlakyFinding]) -> Markup:
    if not findings:
        return markup("")
    lines = join(
        markup("<tr><td>{}</td><td>{}</td></tr>", identity(each.nodeid), each.conclusion)
        for each in findings[:MOST_HOLDING]
    )
    left = len(findings) - MOST_HOLDING
    more = markup("<p>… and {} more in flaky.csv</p>", f"{left:,}") if left > 0 else ""
    return markup(
        '<details><summary>Tests that hold ({})</summary><div class="scroll"><table><tbody>{}</tbody></table></div>{}'
        "</details>",
        f"{len(findings):,}", lines, more,
    )  # fmt: skip
