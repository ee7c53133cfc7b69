"""Lines on the search for flaky tests, for the end of pytest's output."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_twin.model.csv_text import visible
from pytest_twin.model.flaky_row import BREAKS, HOLDS, NOT_KNOWN, VERDICTS
from pytest_twin.report.flaky_findings import (
    FlakyFinding,
    Row,
    describe_findings,
    format_failures,
    group_findings,
)
from pytest_twin.report.wording import wrap_line

MOST = 20  # tests of one verdict; flaky.csv has all
LONGEST = 150  # characters of the first line of a failure


def finding_lines(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the lines on the tests of a search, ordered by verdict, those that hold last and shortest.

    Lines are broken where they are too wide, but not commands, which are to be copied.
    """
    findings = group_findings(rows)
    if not findings:
        return
    yield from wrap_line(describe_findings(findings))
    for verdict in VERDICTS:
        found = [each for each in findings if each.verdict == verdict]
        for each in found[:MOST]:
            yield from _lines(each)
        if len(found) > MOST:
            yield f"… and {len(found) - MOST:,} more in flaky.csv: {verdict}"


def _lines(finding: FlakyFinding) -> Iterator[str]:
    yield from wrap_line(visible(f"{finding.nodeid} {finding.conclusion}"))
    if finding.verdict == HOLDS or (finding.verdict == NOT_KNOWN and not finding.is_suspect):
        return
    if error := finding.decisive.get("error", ""):
        yield from wrap_line(f"    {visible(error)[:LONGEST]}")
    if finding.verdict == BREAKS:
        others = [row for row in finding.rows if row is not finding.decisive and _is_significant(row)]
        if others:
            also = ", ".join(f"{row.get('condition')} ({format_failures(row)})" for row in others)
            yield from wrap_line(visible(f"    also under {also}"))
    if finding.command:
        yield f"    {visible(finding.command)}"


def _is_significant(row: Row) -> bool:
    return bool(row.get("q_value")) and float(row["q_value"]) <= 0.05
