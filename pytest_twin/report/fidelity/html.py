"""A scorecard as a small HTML page that needs no other files."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

import numpy as np

from pytest_twin.analysis.fidelity.gates import FAILED, NOT_JUDGED, PASSED, GateVerdict
from pytest_twin.analysis.fidelity.resampling import Values
from pytest_twin.analysis.fidelity.scorecard import ResourceFidelity, Scorecard
from pytest_twin.model.duration_text import NOTHING, format_duration
from pytest_twin.model.machine_recording import RESOURCES
from pytest_twin.report.fidelity.wording import (
    describe_verdict,
    failure_lines,
    format_limit,
    format_value,
    gap_lines,
    opening_lines,
)
from pytest_twin.report.small_page import small_page
from pytest_twin.report.wording import format_number

Places = np.ndarray[Any, np.dtype[np.intp]]
WIDTH, HEIGHT, MOST_POINTS = 1000, 160, 1000
MARKS = {PASSED: "✓", FAILED: "✗"}  # of what is not judged, the value is a dash
UNITS = {"share": (100.0, "%"), "bytes": (2.0**-20, "MiB"), "bytes/s": (2.0**-20, "MiB/s")}
CHARTS = """
.failed { color: var(--bad); font-weight: 600; } .not-judged { color: var(--soft); }
figure { margin: 1rem 0 0; } .fidelity figcaption { display: block; color: var(--soft); font-size: .85rem; }
.fidelity h2, .fidelity h3 { margin-top: 1.8rem; }
.fidelity svg { display: block; width: 100%; height: 160px; border: 1px solid var(--line); }
.fidelity path { fill: none; stroke-width: 1.4; vector-effect: non-scaling-stroke; }
.fidelity .recorded { stroke: var(--soft); stroke-width: 3.2; opacity: .55; }
.fidelity .replayed { stroke: var(--good); } .fidelity .difference { stroke: var(--bad); }
.fidelity .zero { stroke: var(--soft); stroke-dasharray: 4 4; }
.fidelity b.recorded { color: var(--soft); } .fidelity b.replayed { color: var(--good); }
.fidelity b.difference { color: var(--bad); }
""".strip()


def page(card: Scorecard) -> str:
    """Return the page."""
    title = escape(f"{card.names[1]} as a replay of {card.names[0]}: {describe_verdict(card)}")
    return small_page(title, title, section(card), style=CHARTS)


def section(card: Scorecard) -> Iterator[str]:
    """Yield the scorecard as HTML below a heading: failures, gates, and the curves of each resource."""
    yield from (f"<p>{escape(line)}</p>" for line in list(opening_lines(card))[1:])
    for heading, lines in (("Failed", list(failure_lines(card))), ("Not judged", list(gap_lines(card)))):
        if lines:
            yield f"<h2>{heading}</h2><ul>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ul>"
    yield "<h2>Gates</h2>"
    names = [each.name for each in card.recorded]
    yield '<div class="scroll" tabindex="0" role="region" aria-label="Gates"><table class="stack">'
    heads = "".join(f'<th scope="col" class="number">{escape(name)}</th>' for name in names)
    yield f'<thead><tr><th scope="col">Gate</th><th scope="col" class="number">Limit</th>{heads}'
    yield '<th scope="col">A failure tells</th></tr></thead><tbody>'
    for verdicts in zip(*(each.verdicts for each in card.recorded), strict=True):
        yield _row(verdicts[0], "".join(map(_cell, names, verdicts)))
    yield _row(card.coupling, _cell("all", card.coupling, span=max(len(names), 1)))
    distances = (NOTHING if each.wasserstein is None else f"{each.wasserstein:.3g} points" for each in card.recorded)
    cells = (
        f'<td class="number{" not-judged" if each == NOTHING else ""}" data-label="{escape(name)}">{each}</td>'
        for name, each in zip(names, distances, strict=True)
    )
    yield '<tr><th scope="row">Wasserstein distance</th><td class="number" data-label="Limit">none</td>'
    yield f'{"".join(cells)}<td class="whole">shown only: it is blind to order</td></tr></tbody></table></div>'
    yield from (_curves(each, card.interval_s) for each in card.resources if each.verdict != NOT_JUDGED)


def _row(verdict: GateVerdict, cells: str) -> str:
    gate = verdict.gate
    limit = format_limit(gate, verdict.limit)
    return (
        f'<tr><th scope="row">{escape(gate.title)}</th><td class="number" data-label="Limit">{limit}</td>{cells}'
        f'<td class="whole" data-label="A failure tells">{escape(gate.catches)}</td></tr>'
    )


def _cell(name: str, verdict: GateVerdict, span: int = 1) -> str:
    kind = verdict.verdict.replace(" ", "-")
    value, title = format_value(verdict), escape(verdict.remark)
    if verdict.verdict == NOT_JUDGED:
        shown = f'<span role="img" aria-label="{verdict.verdict}">{value}</span>'
    else:
        shown = f'{value} <span role="img" aria-label="{verdict.verdict}">{MARKS[verdict.verdict]}</span>'
    across = " across" if span > 1 else ""
    return (
        f'<td class="number {kind}{across}" colspan="{span}" title="{title}" data-label="{escape(name)}">{shown}</td>'
    )


def _curves(resource: ResourceFidelity, interval_s: float) -> str:
    """Return both curves on one axis, and their difference below."""
    factor, unit = UNITS[RESOURCES[resource.name].unit] if resource.name in RESOURCES else (1.0, "")
    recorded, replayed = resource.recorded * factor, resource.replayed * factor
    difference = replayed - recorded
    high, most = _largest(recorded, replayed), _largest(np.abs(difference)) or 1.0
    name = escape(resource.name)
    both = _path("recorded", recorded, 0.0, high) + _path("replayed", replayed, 0.0, high)
    apart = _path("zero", np.zeros(2), -most, most) + _path("difference", difference, -most, most)
    ends = f"0 to {format_duration(len(recorded) * interval_s)}"
    keys = '<b class="recorded">recorded</b>, <b class="replayed">replayed</b>'
    return (
        f'<div class="fidelity"><h2>{name}: <span class="{resource.verdict.replace(" ", "-")}">{resource.verdict}'
        f"</span></h2><figure><figcaption>{keys}, {_span(0.0, high, unit)}, {ends}</figcaption>"
        f"{_svg(both, f'{name}, recorded and replayed')}</figure>"
        f'<figure><figcaption><b class="difference">replayed − recorded</b>, {_span(-most, most, unit)}</figcaption>'  # noqa: RUF001
        f"{_svg(apart, f'{name}, difference of the two')}</figure></div>"
    )


def _span(low: float, high: float, unit: str) -> str:
    return f"from {format_number(low)} to {format_number(high)} {unit}"


def _largest(*series: Values) -> float:
    return max((float(np.nanmax(values)) for values in series if np.isfinite(values).any()), default=0.0)


def _svg(paths: str, about: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" aria-label="{about}">{paths}</svg>'
    )


def _path(kind: str, values: Values, low: float, high: float) -> str:
    """Return a curve; of many values, the least and the largest of each stretch; unknown ones interrupt it."""
    pieces = np.array_split(np.arange(len(values)), MOST_POINTS // 2)
    if len(values) > MOST_POINTS:
        places = [place for piece in pieces for place in _extremes(values, piece)]
    else:
        places = list(range(len(values)))
    scale = HEIGHT / ((high - low) or 1.0)
    path, is_open = [], False
    for place in places:
        if not np.isfinite(values[place]):
            is_open = False
            continue
        x, y = place / max(len(values) - 1, 1) * WIDTH, HEIGHT - (values[place] - low) * scale
        path.append(f"{'L' if is_open else 'M'}{x:.1f},{y:.1f}")
        is_open = True
    return f'<path class="{kind}" d="{"".join(path)}"/>'


def _extremes(values: Values, piece: Places) -> list[int]:
    known = piece[np.isfinite(values[piece])]
    if not len(known):
        return [int(piece[0])]
    return sorted({int(known[np.argmin(values[known])]), int(known[np.argmax(values[known])])})
