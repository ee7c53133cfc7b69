"""The sections of the page without scripts: heading, loads, distributions, machine, budgets, missing data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from pytest_twin.analysis.run.attempts import most_grown
from pytest_twin.analysis.run.by_host import display_name, on_host
from pytest_twin.analysis.run.data_quality import is_severe
from pytest_twin.analysis.run.distributions import Distribution, correlations, distributions
from pytest_twin.analysis.run.load_lines import LoadLine
from pytest_twin.analysis.run.run_summary import RunSummary
from pytest_twin.loads.registry import load_keyword
from pytest_twin.model.attempt_row import WITHIN_BUDGET
from pytest_twin.model.duration_text import NOTHING, format_duration
from pytest_twin.report.html.markup import TableHead, breakable, identity, join, markup, stacked_table
from pytest_twin.report.html.svg import bars
from pytest_twin.report.load_shortfall import achieved_amounts, fold_alike, load_troubles
from pytest_twin.report.wording import (
    describe_machines,
    format_change,
    format_count,
    format_number,
    format_size,
    headline,
)
from pytest_twin.stressors.spec.starvation import STARVED_BELOW

MOST_BROKEN_BUDGETS = 200
BLUE, ORANGE = "0, 114, 178", "213, 94, 0"  # of Okabe and Ito
LOAD_HEADS = (
    TableHead("Load"), TableHead("Requested"), TableHead("Achieved"), TableHead("Lowest share"),
    TableHead("Times", is_number=True), TableHead("Held", is_number=True), TableHead("Problems", is_wide=True),
)  # fmt: skip
BUDGET_HEADS = (TableHead("Test"), TableHead("Over budget or inconclusive", is_wide=True))
WORDS = {"cpu_percent": "CPU peak", "ram_used_percent": "Memory peak", "pressure_cpu_percent": "CPU pressure peak"}
SPEARMAN = (
    "Rank correlation (Spearman): 1 if two columns rise together, -1 if one falls as the other rises, 0 if they are "
    "unrelated."
)


def heading(summary: RunSummary, verdicts: Markup) -> Markup:
    """Return the heading: outcome, time, machine, and the most important figures.

    Args:
        summary: The run.
        verdicts: What stands between: thresholds and failures.
    """
    when = [] if summary.began is None else [f"{summary.began:%-d %B %Y, %H:%M:%S} UTC".lstrip("0")]
    facts = [
        *when,
        *([format_duration(summary.duration_s)] if summary.duration_s else []),
        *describe_machines(summary),
    ]
    tiles = join(
        markup('<div class="tile"><dt>{}</dt><dd>{}</dd><div class="note">{}</div></div>', name, value, note)
        for name, value, note in _tiles(summary)
    )
    return markup(
        '<p class="name">pytest-twin · {}</p><h1>{}</h1><p class="soft">{}</p>{}<dl class="tiles">{}</dl>',
        summary.run.path.name, _title(summary), " · ".join(facts), verdicts, tiles,
    )  # fmt: skip


def _title(summary: RunSummary) -> Markup | str:
    """Return the outcome, linked to the failures if there are any."""
    return markup('<a href="#failures">{}</a>', headline(summary)) if summary.failed else headline(summary)


def _tiles(summary: RunSummary) -> Iterator[tuple[str, str, Markup | str]]:
    known = [attempt.cpu_s for attempt in summary.attempts if attempt.cpu_s is not None]
    if known:
        yield (
            "CPU time of tests",
            format_duration(sum(known)),
            f"{format_number(sum(known) / max(summary.duration_s, 1e-9))} CPUs busy on average",
        )
    peaks = {
        peak.column: peak for peak in sorted(summary.peaks, key=lambda peak: peak.value)
    }  # of all hosts the highest
    yield from _memory(summary)
    for name, word in WORDS.items():
        if name in peaks:
            on = f" on {display_name(peaks[name].host)}" if summary.hosts else ""
            yield word, f"{format_number(peaks[name].value)} %", f"at +{format_duration(peaks[name].at_s)}{on}"
    if summary.loads or summary.skipped:
        times, note = sum(line.times for line in summary.loads), _loads_in_short(summary.loads)
        yield (
            "Loads",
            f"{times:,}",
            note if not summary.skipped else f"{note}, {sum(summary.skipped.values())} not reached",
        )
    if len(summary.times):
        interval = summary.interval_s if len(summary.times) > 2 else None  # the last one comes when the run ends
        yield "Samples", f"{len(summary.times):,}", f"every {interval:.2g} s" if interval else ""


def _memory(summary: RunSummary) -> Iterator[tuple[str, str, Markup | str]]:
    """Yield the largest memory growth and the kept memory; for an old run only the peak."""
    for heaviest in most_grown(summary.attempts, 1):
        yield "Most memory growth", format_change(heaviest.memory_growth_MB), _name(heaviest.nodeid)
    if leaks := summary.leaks:
        (test, kept), *others = leaks
        yield "Kept memory", format_change(kept), _name(test) + (f" and {len(others):,} more" if others else "")
    peaks = [] if summary.tells_growth else [attempt for attempt in summary.attempts if attempt.peak_memory_MB]
    if peaks:
        highest = max(peaks, key=lambda each: each.peak_memory_MB or 0)
        yield "Test peak memory", format_size(highest.peak_memory_MB), _name(highest.nodeid)


def _name(nodeid: str) -> Markup:
    """Return a test id without file and class, truncated."""
    return breakable(f"{nodeid.rpartition('::')[2]:.60}")


def _loads_in_short(loads: Sequence[LoadLine]) -> str:
    """Return whether the requested loads were achieved."""
    if troubled := sum(bool(load_troubles(line)) for line in loads):
        return f"{troubled} of {format_count(len(loads), 'request')} with problems"
    return "all as requested" if any(line.achieved for line in loads) else "achieved amounts unknown"


def notices(summary: RunSummary) -> Markup:
    """Return a notice if the run is incomplete."""
    lines = []
    grave = [each for each in summary.shortcomings if is_severe(each)]
    if grave:
        more = markup(' <a href="#missing">and {} more</a>', len(grave) - 1) if len(grave) > 1 else Markup("")
        lines.append(markup("Incomplete: {}{}", f"{grave[0]:.300}", more))
    return join(markup('<div class="notice" role="note"><p>{}</p></div>', each) for each in lines)


def loads_part(summary: RunSummary) -> Markup:
    """Return the table of requested and achieved loads."""
    missing = ", ".join(f"{many} {load_keyword(kind)}" for kind, many in summary.skipped.items())
    not_started = markup("<p>Not started before the end of the run: {}.</p>", missing) if missing else Markup("")
    if not summary.loads:
        return not_started or markup('<p class="soft">No load was applied in this run.</p>')
    several = len(summary.hosts) > 0
    heads = [*LOAD_HEADS, *[TableHead("Host")] * several]
    return stacked_table(heads, (_load_row(line, several=several) for line in summary.loads)) + not_started


def _load_row(line: LoadLine, *, several: bool) -> list[object]:
    answers = achieved_amounts(line)
    trouble = join(markup("<div>{}</div>", each) for each in fold_alike(load_troubles(line)))
    return [
        load_keyword(line.type), markup('<span class="id">{}</span>', line.target or NOTHING), answers or "unknown",
        _meter(line), f"{line.times:,}", format_duration(line.held_s), trouble, *[display_name(line.host)] * several,
    ]  # fmt: skip


def _meter(line: LoadLine) -> Markup:
    lowest = line.lowest_share
    if lowest is None:
        return Markup("")
    return markup(
        '<span class="meter{}" role="img" aria-label="{:.0%}"><i style="width:{:.0f}%"></i></span>',
        " short" if lowest < STARVED_BELOW else "", lowest, min(lowest, 1.0) * 100,
    )  # fmt: skip


def spread_part(summary: RunSummary) -> Markup:
    """Return the distributions and correlations of the main columns."""
    found = distributions(summary.run.samples)
    if not found:
        return markup('<p class="soft">There are too few samples, or no column varies.</p>')
    plots = join(map(_histogram, found))
    if len(found) < 2:
        return markup('<div class="grid">{}</div>', plots)
    return markup(
        '<div class="grid">{}</div><h3 style="margin-top:1.6rem">Correlations</h3><p class="soft small">{}</p>'
        '<div class="scroll" tabindex="0" role="region" aria-label="Correlations">{}</div>',
        plots, SPEARMAN, _heatmap(summary),
    )  # fmt: skip


def _histogram(found: Distribution) -> Markup:
    unit = f" {found.unit}" if found.unit else ""
    low, middle, high = (format_number(value) for value in found.quantiles)
    about = (
        f"{found.column}: 5 % of the samples are below {low}{unit}, half below {middle}{unit}, 95 % below {high}{unit}"
    )
    return markup(
        '<figure><figcaption><code>{}</code><span class="number">median {}{}</span></figcaption>{}'
        '<div class="axis"><span>{}</span><span>5–95 %: {} to {}</span><span>{}{}</span></div></figure>',  # noqa: RUF001
        found.column, middle, unit, bars(found.counts, about), format_number(found.low), low, high,
        format_number(found.high), unit,
    )  # fmt: skip


def _heatmap(summary: RunSummary) -> Markup:
    names, values = correlations(summary.run.samples)
    heads = join(markup('<th scope="col">{}</th>', name) for name in names)
    rows = []
    for place, name in enumerate(names):
        cells = join(map(_heat, values[place, : place + 1].tolist()))
        rows.append(markup('<tr><th scope="row">{}</th>{}</tr>', breakable(name), cells))
    return markup('<table class="heat"><tbody>{}</tbody><tfoot><tr><td></td>{}</tr></tfoot></table>', join(rows), heads)


def _heat(value: float) -> Markup:
    if np.isnan(value):
        return markup('<td class="soft">–</td>')  # noqa: RUF001
    tint = BLUE if value > 0 else ORANGE
    shown = f"{round(value, 2) + 0.0:.2f}".replace("0.", ".")
    return markup('<td style="background:rgba({},{:.2f})">{}</td>', tint, abs(value) * 0.55, shown)


def machine_part(summary: RunSummary) -> Markup:
    """Return the hardware and software."""
    fingerprint = summary.run.fingerprint
    if not fingerprint:
        return markup('<p class="soft">This run has no fingerprint.</p>')
    packages = fingerprint.get("packages")
    rows = join(
        markup("<dt>{}</dt><dd>{}</dd>", name, value)
        for name, value in _flatten(fingerprint)
        if not name.startswith("packages ")
    )
    if not isinstance(packages, dict):
        return markup('<dl class="machine">{}</dl>', rows)
    listed = join(markup("<dt>{}</dt><dd>{}</dd>", name, version) for name, version in packages.items())
    return markup(
        '<dl class="machine">{}</dl><details><summary>{}</summary><dl class="machine">{}</dl></details>',
        rows, format_count(len(packages), "Python package"), listed,
    )  # fmt: skip


def _flatten(document: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    """Yield nested documents as names and values."""
    for name, value in document.items():
        full = f"{before} {name}".strip().replace("_", " ")
        if isinstance(value, dict):
            yield from _flatten(value, full)
        elif isinstance(value, list):
            for place, each in enumerate(value, 1):
                text = ", ".join(f"{part}" for part in each.values()) if isinstance(each, dict) else str(each)
                yield f"{full} {place}" if len(value) > 1 else full, text
        elif value is not None:
            yield full, str(value)


def missing_part(summary: RunSummary) -> Markup:
    """Return the list of missing data."""
    if not summary.shortcomings:
        return markup('<p class="soft">Nothing: files are complete, samples on time, and all columns have values.</p>')
    return markup(
        '<ul class="events">{}</ul>', join(markup("<li>{}</li>", problem) for problem in summary.shortcomings)
    )


def budgets_part(summary: RunSummary) -> Markup:
    """Return the tests that are over budget or inconclusive."""
    found = [attempt for attempt in summary.attempts if attempt.budget not in WITHIN_BUDGET]
    if not found:
        return markup("")
    rows = ((identity(each.nodeid) + on_host(each.host), each.budget) for each in found[:MOST_BROKEN_BUDGETS])
    left = len(found) - MOST_BROKEN_BUDGETS
    more = markup("<p>… and {} more in tests.csv</p>", f"{left:,}") if left > 0 else ""
    return markup("{}{}", stacked_table(BUDGET_HEADS, rows), more)
