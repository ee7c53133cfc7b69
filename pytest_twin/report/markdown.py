"""summary.md: a run as Markdown tables, as GitHub shows them on the page of a job."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pytest_twin.analysis.run.attempts import AttemptSummary, heaviest, most_grown, most_written, slowest
from pytest_twin.analysis.run.by_host import display_name, on_host
from pytest_twin.analysis.run.overview import WORTH_TELLING_MB
from pytest_twin.analysis.run.run_summary import RunSummary
from pytest_twin.loads.registry import load_keyword
from pytest_twin.model.attempt_row import WITHIN_BUDGET
from pytest_twin.model.csv_text import parse_number, visible
from pytest_twin.model.duration_text import format_duration
from pytest_twin.report.comparison import markdown as comparison
from pytest_twin.report.flaky_findings import describe_findings, group_findings
from pytest_twin.report.load_shortfall import achieved_amounts, fold_alike, load_troubles
from pytest_twin.report.markdown_escape import escape, table_row
from pytest_twin.report.profile_ranking import SlowdownCurve, rank_resources, worst_failures
from pytest_twin.report.wording import (
    describe_budgets,
    describe_machines,
    format_change,
    format_count,
    format_number,
    format_size,
    headline,
    truncate_middle,
)

MOST, MOST_BAD, MOST_LOADS = 5, 20, 20
MOST_TRACEBACKS, MOST_LINES = 5, 40


def page(summary: RunSummary) -> str:
    """Return the summary of a run as Markdown."""
    return "\n".join(line for part in _parts(summary) for line in part) + "\n"


def _parts(summary: RunSummary) -> Iterator[Iterable[str]]:
    yield [f"## pytest-twin: {headline(summary)}", ""]
    yield _facts(summary)
    yield _failures(summary)
    if summary.comparison is not None:
        yield [*comparison.lines(summary.comparison, "### Compared: ", MOST_BAD), ""]
    yield _tests("Slowest", slowest(summary.attempts, MOST), MOST, summary)
    yield _tests("Highest CPU time", heaviest(summary.attempts, MOST), MOST, summary)
    yield _tests("Highest memory growth", _grown(summary), MOST, summary)
    yield _leaks(summary)
    yield _writes(summary)
    yield _budgets(summary)
    yield _flaky(summary)
    yield _profile(summary)
    yield _loads(summary)
    yield _peaks(summary)
    if summary.shortcomings:
        yield ["### Missing data", "", *(f"- {escape(each)}" for each in summary.shortcomings), ""]


def _facts(summary: RunSummary) -> list[str]:
    when = (
        [] if summary.began is None else [f"{summary.began:%Y-%m-%d %H:%M:%S} UTC", format_duration(summary.duration_s)]
    )
    interval = f" every {summary.interval_s:.2g} s" if summary.interval_s else ""
    samples = f"{format_count(len(summary.times), 'sample')}{interval}"
    return [escape(" · ".join([*when, samples, *describe_machines(summary)])), ""]


def _host(summary: RunSummary, cell: str) -> list[str]:
    """Return a cell for the host; none if the run has one host."""
    return [cell] if summary.hosts else []


def _tests(heading: str, found: Sequence[AttemptSummary], most: int, summary: RunSummary) -> Iterator[str]:
    if not found:
        return
    yield from (f"### {heading}", "")
    memory = "memory growth" if summary.tells_growth else "peak memory"
    yield from _table("test", *_host(summary, "host"), "outcome", "duration", "CPU time", memory, "load")
    for attempt in found[:most]:
        figures = (
            attempt.outcome, format_duration(attempt.duration_s), format_duration(attempt.cpu_s),
            format_change(attempt.memory_growth_MB) if summary.tells_growth else format_size(attempt.peak_memory_MB),
            attempt.load,
        )  # fmt: skip
        yield _row(truncate_middle(attempt.nodeid), *_host(summary, display_name(attempt.host)), *figures)
    yield from _more(len(found) - most, "tests.csv")


def _failures(summary: RunSummary) -> Iterator[str]:
    """Yield the failed tests with their errors, and what stood out while they ran."""
    bad = summary.failed
    if not bad:
        return
    yield from ("### Did not pass", "")
    yield from _table("test", *_host(summary, "host"), "outcome", "error", "what stood out while it ran")
    for attempt in bad[:MOST_BAD]:
        errors = "; ".join(failure.message for failure in summary.failures.get(attempt.key, ()))
        figures = attempt.outcome, errors, summary.explanations.get(attempt.key, "")
        yield _row(truncate_middle(attempt.nodeid), *_host(summary, display_name(attempt.host)), *figures)
    yield from _more(len(bad) - MOST_BAD, "tests.csv")


def _grown(summary: RunSummary) -> list[AttemptSummary]:
    return [each for each in most_grown(summary.attempts, MOST) if (each.memory_growth_MB or 0) >= WORTH_TELLING_MB]


def _leaks(summary: RunSummary) -> Iterator[str]:
    leaks = summary.leaks
    if leaks:
        yield from ("### Kept memory", "")
        yield from _table("test", "memory kept by its process")
        yield from (_row(truncate_middle(test), format_change(kept)) for test, kept in leaks[:MOST])
        yield from _more(len(leaks) - MOST, "tests.csv")


def _writes(summary: RunSummary) -> Iterator[str]:
    """Yield the tests that wrote most, as the terminal does."""
    found = [each for each in most_written(summary.attempts, MOST) if (each.written_MB or 0) >= WORTH_TELLING_MB]
    if found:
        yield from ("### Most written to disk", "")
        yield from _table("test", *_host(summary, "host"), "written")
        for each in found:
            yield _row(
                truncate_middle(each.nodeid), *_host(summary, display_name(each.host)), format_size(each.written_MB)
            )
        yield ""


def _budgets(summary: RunSummary) -> Iterator[str]:
    broken = [attempt for attempt in summary.attempts if attempt.budget not in WITHIN_BUDGET]
    if kept := describe_budgets(summary):
        yield from ("### Budgets", "", kept, "")
    if broken:
        yield from _table("test", "over budget or inconclusive")
        yield from (
            _row(truncate_middle(attempt.nodeid) + on_host(attempt.host), attempt.budget)
            for attempt in broken[:MOST_BAD]
        )
        yield from _more(len(broken) - MOST_BAD, "tests.csv")


def _flaky(summary: RunSummary) -> Iterator[str]:
    findings = group_findings(summary.flaky)
    if not findings:
        return
    yield from ("### Flaky tests", "", escape(describe_findings(findings)), "")
    affected = [each for each in findings if each.needs_attention]
    if affected:
        yield from _table("test", "verdict", "first failure")
    for each in affected[:MOST_BAD]:
        yield _row(truncate_middle(each.nodeid), each.conclusion, each.decisive.get("error", ""))
    yield from _more(len(affected) - MOST_BAD, "flaky.csv") if affected else ()
    commands = [each.command for each in affected if each.command][:MOST_BAD]
    if commands:
        yield from ("Reproduce them:", "", *(f"    {visible(command)}" for command in commands), "")
    for each in affected[:MOST_TRACEBACKS]:
        of_test = summary.flaky_failures.get(each.rows[0].get("nodeid", ""), {})
        text = of_test.get(each.decisive.get("condition", ""), "")
        if text:
            yield from (f"First failure of {escape(truncate_middle(each.nodeid))}:", "")
            yield from (f"    {visible(line)}" for line in text.splitlines()[-MOST_LINES:])
            yield ""


def _profile(summary: RunSummary) -> Iterator[str]:
    found = list(rank_resources(summary.profile))
    if not found:
        return
    yield from ("### Most sensitive to", "")
    has_quota = any(curve.is_quota for _, curves in found for curve in curves)
    has_failed = any(worst_failures(curves) for _, curves in found)
    more = [*(["CPU quota: knee"] if has_quota else []), *(["fails"] if has_failed else [])]
    yield from _table("test", "load", "slowdown at 100 %", "95 % interval", "knee", "then", *more)
    for nodeid, curves in found[:MOST_BAD]:
        sure = [curve for curve in curves if curve.rank]
        first = [sure[0].resource, *_at_most(sure[0]), sure[0].knee] if sure else ["none significant", "", "", ""]
        quota = [", ".join(curve.knee_or_doubt for curve in curves if curve.is_quota)] if has_quota else []
        failures = [worst_failures(curves)] if has_failed else []
        then = ", ".join(curve.resource for curve in sure[1:])
        yield _row(truncate_middle(nodeid), *first, then, *quota, *failures)
    yield from _more(len(found) - MOST_BAD, "profile.csv")


def _at_most(curve: SlowdownCurve) -> tuple[str, str]:
    """Return the slowdown at the full load, and its interval; empty if it was not measured."""
    row = curve.points[-1]
    slowdown, low, high = (parse_number(row.get(f"slowdown{border}")) for border in ("", "_low", "_high"))
    if slowdown is None:
        return "", ""
    return f"{slowdown:.2f}", "" if low is None or high is None else f"{low:.2f} to {high:.2f}"


def _loads(summary: RunSummary) -> Iterator[str]:
    if summary.loads:
        yield from ("### Loads", "")
        yield from _table(*_host(summary, "host"), "load", "requested", "achieved", "times", "held", "problems")
    for load in summary.loads[:MOST_LOADS]:
        which = *_host(summary, display_name(load.host)), load_keyword(load.type), truncate_middle(load.target)
        troubles = ", ".join(fold_alike(load_troubles(load)))
        yield _row(*which, achieved_amounts(load), f"{load.times:,}", format_duration(load.held_s), troubles)
    if summary.loads:
        yield from _more(len(summary.loads) - MOST_LOADS, "annotations.csv")
    if summary.skipped:
        skipped = ", ".join(f"{number} {load_keyword(kind)}" for kind, number in summary.skipped.items())
        yield from (f"Not started before the end of the run: {escape(skipped)}", "")


def _peaks(summary: RunSummary) -> Iterator[str]:
    peaks = [peak for peak in summary.peaks if peak.value]  # without what nobody used
    if peaks:
        yield from ("### Peaks", "")
        yield from _table(*_host(summary, "host"), "column", "highest", "at", "during")
    for peak in peaks:
        running = truncate_middle(peak.tests[0]) if peak.tests else ""
        more = f" and {len(peak.tests) - 1} more" if len(peak.tests) > 1 else ""
        figures = f"{format_number(peak.value)} {peak.unit}".strip(), f"+{format_duration(peak.at_s)}", running + more
        yield _row(*_host(summary, display_name(peak.host)), peak.column, *figures)
    if peaks:
        yield ""


def _table(*names: str) -> list[str]:
    return [table_row(names), table_row(["---"] * len(names))]


def _row(*cells: str) -> str:
    return table_row([escape(cell) for cell in cells])


def _more(left: int, file: str) -> list[str]:
    return [*([f"… and {left:,} more in {file}"] if left > 0 else []), ""]
