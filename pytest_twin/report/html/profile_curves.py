"""The section of the page with slowdown curves, from the rows of profile.csv."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_twin.report.html.markup import identity, join, markup
from pytest_twin.report.html.svg import TALL, WIDE, svg
from pytest_twin.report.profile_ranking import Row, SlowdownCurve, parse_number, rank_resources
from pytest_twin.report.wording import NOTHING

if TYPE_CHECKING:
    from markupsafe import Markup

MOST = 60
ASIDE = 8
LEAST_TOP = 2.0  # times as slow: what hardly slows should not look like a cliff
LOOKS = {"cpu": "stress", "membw": "memory", "disk": "in"}


def curves_part(rows: Sequence[Row]) -> Markup:
    """Return a plot and a table for each test of a profile."""
    found = list(rank_resources(rows))
    more = markup("<p>… and {} more in profile.csv</p>", f"{len(found) - MOST:,}") if len(found) > MOST else ""
    return markup('<div class="details">{}</div>{}', join(_of_test(*each) for each in found[:MOST]), more)


def _of_test(nodeid: str, curves: Sequence[SlowdownCurve]) -> Markup:
    slowdowns = (parse_number(row.get("slowdown")) for curve in curves for row in curve.points)
    top = max([LEAST_TOP, *(value * 1.1 for value in slowdowns if value is not None)])
    aside = [(place - (len(curves) - 1) / 2) * ASIDE for place in range(len(curves))]
    lines = join(
        _line(LOOKS.get(curve.resource, "rest"), curve.points, top, by) for curve, by in zip(curves, aside, strict=True)
    )
    keys = join(
        markup('<span><i class="key c-{}"></i> {} </span>', LOOKS.get(name, "rest"), name) for name, _ in curves
    )
    about = f"Slowdown of {nodeid:.200}, from no load on the left to full load on the right"
    return markup(
        '<article><h3>{}</h3><div class="pair"><figure><figcaption><span>slowdown, 1 to {:.1f}</span>'
        '<span>{}</span></figcaption>{}<div class="axis"><span>0 %</span><span>load</span><span>100 %</span></div>'
        '</figure><div class="scroll">{}</div></div></article>',
        identity(nodeid), top, keys, svg(lines, about), _table(curves),
    )  # fmt: skip


def _line(look: str, points: Sequence[Row], top: float, aside: float) -> Markup:
    """Return the median of each level as a line, and its intervals as vertical bars beside those of other curves."""
    known = [
        (level / 100 * WIDE, slowdown, parse_number(row.get("slowdown_low")), parse_number(row.get("slowdown_high")))
        for row in points
        if (level := parse_number(row.get("level_percent"))) is not None
        and (slowdown := parse_number(row.get("slowdown"))) is not None
    ]
    path = "L".join(f"{x:.0f},{_height(middle, top):.1f}" for x, middle, *_ in known)
    strokes = "".join(
        f"M{min(max(x + aside, 0), WIDE):.0f},{_height(low, top):.1f}V{_height(high, top):.1f}"
        for x, _, low, high in known
        if low is not None and high is not None
    )
    return markup('<path class="curve l-{}" d="M{}{}"/>', look, path, strokes) if known else markup("")


def _height(slowdown: float, top: float) -> float:
    return TALL - min(max((slowdown - 1) / (top - 1), 0.0), 1.0) * TALL


def _table(curves: Sequence[SlowdownCurve]) -> Markup:
    levels = list(dict.fromkeys(row.get("level_percent", "") for curve in curves for row in curve.points))
    heads = join(markup('<th scope="col" class="number">{} %</th>', level) for level in levels)
    lines = []
    for curve in curves:
        slowdowns = {row.get("level_percent", ""): row.get("slowdown") or NOTHING for row in curve.points}
        cells = join(markup('<td class="number">{}</td>', _short(slowdowns.get(level, NOTHING))) for level in levels)
        row = '<tr><th scope="row">{}</th>{}<td class="number">{}</td></tr>'
        lines.append(markup(row, curve.resource, cells, curve.knee or "none"))
    return markup(
        '<table><thead><tr><th scope="col">Load</th>{}<th scope="col" class="number">Knee</th></tr></thead>'
        "<tbody>{}</tbody></table>",
        heads, join(lines),
    )  # fmt: skip


def _short(slowdown: str) -> str:
    value = parse_number(slowdown)
    return slowdown if value is None else f"{value:.2f}"
