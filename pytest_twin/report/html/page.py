"""report.html: a run as one page that needs no other files and no network."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup

from pytest_twin.analysis.comparison.comparison import Comparison
from pytest_twin.analysis.fidelity.scorecard import Scorecard
from pytest_twin.analysis.run.by_host import display_name
from pytest_twin.analysis.run.run_summary import RunSummary
from pytest_twin.model.attempt_row import BAD
from pytest_twin.model.version import __version__
from pytest_twin.report.comparison.html import section
from pytest_twin.report.comparison.wording import opening_lines
from pytest_twin.report.fidelity.html import CHARTS
from pytest_twin.report.fidelity.html import section as scorecard_section
from pytest_twin.report.fidelity.wording import describe_verdict
from pytest_twin.report.flaky_findings import describe_findings, group_findings
from pytest_twin.report.html import details, failures, flaky_part, parts, profile_curves
from pytest_twin.report.html.markup import data_element, each_host, join, markup
from pytest_twin.report.html.tests_table import TestsTable
from pytest_twin.report.html.thresholds import thresholds
from pytest_twin.report.html.timeline import Lanes, idle_panel_names, timeline
from pytest_twin.report.small_page import TABLE
from pytest_twin.report.wording import describe_budgets, format_count, headline

ASSETS = Path(__file__).parent / "assets"
SCRIPTS = ("data.js", "chart.js", "timeline.js", "table.js", "sort.js", "copy.js")


class PageSection(NamedTuple):
    """A section of the page, with its entry in the navigation."""

    name: str
    heading: str
    intro: str
    content: Markup


def page(summary: RunSummary) -> str:
    """Return the page of a run."""
    lanes = {each.host: Lanes(each) for each in summary.by_host}
    failed, marked = failures.failed_tests(summary), details.marked_tests(summary)
    links = {**details.marked_links(marked), **failures.failure_links(failed)}
    outcomes = list(dict.fromkeys(attempt.outcome for attempt in summary.attempts))
    table = TestsTable(summary)
    tests = table.data(summary.woven(lambda own: lanes[own.host].of_tests), links)
    tests["outcome"] = [outcomes.index(attempt.outcome) for attempt in summary.attempts]
    document = {"timeline": timeline(summary, list(lanes.values())), "outcomes": outcomes, "bad": BAD, "tests": tests}
    found = list(_parts(summary, failed, marked, table))
    scripts = [_plotly(), "\n".join((ASSETS / name).read_text(encoding="utf-8") for name in SCRIPTS)]
    return str(
        markup(
            PAGE, policy=_policy(scripts), title=f"{headline(summary)} – pytest-twin",  # noqa: RUF001
            style=Markup((ASSETS / "page.css").read_text(encoding="utf-8") + TABLE + CHARTS),  # noqa: S704 - our own
            heading=parts.heading(summary, thresholds(summary) + failures.failures_notice(summary, failed)),
            notice=parts.notices(summary),
            skip=_skip_link(found),
            links=join(markup('<li><a href="#{}">{}</a></li>', part.name, part.heading) for part in found),
            parts=join(
                markup(
                    '<section id="{}" aria-labelledby="{}-h"><h2 id="{}-h">{}</h2>{}{}</section>',
                    part.name, part.name, part.name, part.heading,
                    _soft(part.intro), part.content,
                )
                for part in found
            ),
            data=data_element("twin-data", document), version=__version__, path=summary.run.path,
            scripts=join(markup("<script>{}</script>", Markup(script)) for script in scripts),  # noqa: S704 - as well
        )
    )  # fmt: skip


def _skip_link(found: Sequence[PageSection]) -> Markup:
    """Return the link over the navigation: to the tests, or to the first part where there are none."""
    part = next((each for each in found if each.name == "tests"), found[0])
    return markup('<a class="skip" href="#{}">Skip to the {}</a>', part.name, part.heading.lower())


def _parts(
    summary: RunSummary, failed: failures.Failed, marked: Sequence[int], table: TestsTable
) -> Iterator[PageSection]:
    if failed:
        intro = f"{format_count(len(failed), 'test')} did not pass. {details.TIMES}"
        yield PageSection("failures", "Failures", intro, failures.failures_part(summary, failed))
    yield from _searches(summary)
    if summary.began is not None:
        yield PageSection("timeline", "Timeline", "", _timeline(summary))
    yield from _comparisons(summary)
    if summary.attempts:
        yield PageSection("tests", "Tests", table.description(), table.part())
    if marked:
        intro = (
            "Tests that did not fail, and of which the run has kept the samples: by default those with a mark or a "
            f"fixture of pytest-twin. {details.TIMES}"
        )
        yield PageSection("marked", "Marked tests", intro, details.marked_part(summary, marked))
    if intro := describe_budgets(summary):
        yield PageSection("budgets", "Budgets", intro, parts.budgets_part(summary))
    if summary.loads or summary.skipped:
        yield PageSection("loads", "Loads", "Requested and achieved amount of each load.", parts.loads_part(summary))
    if len(summary.times):
        intro = "How often each value occurs, for the columns that vary."
        yield PageSection("spread", "Distributions", intro, each_host(summary, parts.spread_part))
    yield PageSection("machine", "Machine", "", each_host(summary, parts.machine_part))
    yield PageSection("missing", "Missing", "", parts.missing_part(summary))


def _searches(summary: RunSummary) -> Iterator[PageSection]:
    """Yield what a search for flaky tests and a profile have found."""
    if summary.flaky:
        findings = group_findings(summary.flaky)
        content = flaky_part.flaky_part(findings, summary.flaky_failures)
        yield PageSection("flaky", "Flaky tests", describe_findings(findings), content)
    if summary.profile:
        intro = (
            "The slowdown of each test under each load, the largest first; bars are 95 % confidence intervals, and ? "
            "marks a level with too few repetitions for one."
        )
        yield PageSection("curves", "Sensitivity", intro, profile_curves.curves_part(summary.profile))


def _comparisons(summary: RunSummary) -> Iterator[PageSection]:
    """Yield the run beside other runs, and beside the recording that it replays."""
    if summary.comparison is not None:
        yield PageSection("compared", "Comparison", "", _compared(summary.comparison))
    if summary.fidelity is not None:
        verdict = f"A replay of {summary.fidelity.names[0]}: {describe_verdict(summary.fidelity)}"
        yield PageSection("fidelity", "Replay", verdict, _replay(summary.fidelity))


def _timeline(summary: RunSummary) -> Markup:
    """Return the charts of all hosts, which zoom together."""

    def chart(own: RunSummary) -> Markup:
        place = summary.by_host.index(own)
        whose = f"{display_name(own.host)}, its" if summary.hosts else "the host, the"
        quiet = ", ".join(f"{name.lower()}: 0 throughout" for name in idle_panel_names(own))
        if summary.hosts and not len(own.times):
            quiet = "no samples"
        return markup(CHART, f"-{place + 1}" if place else "", whose, _soft(quiet))

    return markup("{}{}", Markup(ZOOM), each_host(summary, chart))  # noqa: S704 - a constant


def _compared(comparison: Comparison) -> Markup:
    """Return the comparison as in `pytest-twin compare`; a difference of machines stands out above it."""
    kind = "notice" if comparison.machines else "soft small"
    rest = Markup(section(comparison))  # noqa: S704 - it is HTML, in which all texts are escaped
    return markup('<p class="{}">{}</p>{}', kind, opening_lines(comparison)[0], rest)


def _replay(card: Scorecard) -> Markup:
    """Return the scorecard as in `pytest-twin validate`, with its headings below that of the section."""
    text = "".join(scorecard_section(card)).replace("<h2>", "<h3>").replace("</h2>", "</h3>")
    return Markup(text)  # noqa: S704 - it is HTML, in which all texts are escaped


def _soft(intro: str) -> Markup:
    return markup('<p class="soft small">{}</p>', intro) if intro else Markup("")


def _plotly() -> str:
    from plotly.offline import get_plotlyjs

    return _script(get_plotlyjs())


def _script(text: str) -> str:
    """Return text with the line ends that a browser hashes."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _policy(scripts: list[str]) -> str:
    """Return the content security policy: run only these scripts, fetch nothing."""
    hashes = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{each}'" for each in hashes)
    rest = "style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
    return f"default-src 'none'; script-src {allowed}; {rest}"


ZOOM = """<div class="tools" role="group" aria-label="Zoom">
<button type="button" data-zoom="in" aria-label="Zoom in">+</button>
<button type="button" data-zoom="out" aria-label="Zoom out">−</button>
<button type="button" data-zoom="left" aria-label="Earlier">←</button>
<button type="button" data-zoom="right" aria-label="Later">→</button>
<button type="button" data-zoom="all">Whole run</button>
<button type="button" data-fit aria-pressed="false" title="Draw shares up to their highest value, and not to 100 %">Fit
values</button>
<span class="small soft mouse">Drag to zoom, double-click for the whole run.
Keys: arrows, + and −, Page Up and Down, Home.</span>
<span class="small soft touch">Tap to see what ran at a moment.</span></div>
<noscript><p>The timeline needs JavaScript; the same figures are in system_metrics_dataset.csv.</p></noscript>"""  # noqa: RUF001
CHART = """<div class="chart" id="timeline-chart{}" tabindex="0" role="group"
aria-label="Timeline of {} tests and the loads; arrow keys move the cursor">
<div class="plot"></div><div class="cursor"></div><div class="readout" aria-live="polite"></div></div>{}"""

PAGE = """<!doctype html>
<!-- pytest-twin report -->
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex">
<title>{title}</title><style>{style}</style></head>
<body>{skip}
<div class="wide"><header>{heading}{notice}</header></div>
<nav aria-label="Parts of the report"><div class="wide"><ul>{links}</ul></div></nav>
<main class="wide">{parts}</main>
<div class="wide"><footer>Made by pytest-twin {version} from {path}. Times are UTC;
MiB and GiB are 1024-based.</footer></div>
{data}{scripts}</body></html>
"""
