"""The part of the page that shows how much slower each test is under how much load: the rows of profile.csv."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from pytest_twin.report.drawing import TALL, WIDE, svg
from pytest_twin.report.marking import html, identity, joined
from pytest_twin.report.profile_table import test_of
from pytest_twin.report.wording import NOTHING

if TYPE_CHECKING:
    from markupsafe import Markup

Row = Mapping[str, str]
MOST = 60
LEAST_TOP = 2.0  # times as slow: what hardly slows should not look like a cliff
LOOKS = {"cpu": "stress", "membw": "memory", "disk": "in"}


def curves_part(rows: Sequence[Row]) -> Markup:
    """A plot and a table for each test of a profile."""
    found = [(test, list(of_test)) for test, of_test in groupby(rows, key=test_of)]
    more = html("<p>… and {} more in profile.csv</p>", f"{len(found) - MOST:,}") if len(found) > MOST else ""
    return html('<div class="details">{}</div>{}', joined(_of_test(*each) for each in found[:MOST]), more)


def _of_test(test: str, rows: Sequence[Row]) -> Markup:
    by_resource = {name: list(points) for name, points in groupby(rows, key=lambda row: row.get("resource", ""))}
    ranked = sorted(by_resource.items(), key=lambda pair: pair[1][0].get("rank") or "9")
    top = max([LEAST_TOP, *(value * 1.1 for row in rows if (value := number(row.get("slowdown"))) is not None)])
    lines = joined(_line(LOOKS.get(name, "rest"), points, top) for name, points in ranked)
    keys = joined(
        html('<span><i class="key c-{}"></i> {} </span>', LOOKS.get(name, "rest"), name) for name, _ in ranked
    )
    about = f"Slowdown of {test:.200} from no load on the left to all of it on the right"
    return html(
        '<article><h3>{}</h3><div class="pair"><figure><figcaption><span>times as slow, 1 to {:.1f}</span>'
        '<span>{}</span></figcaption>{}<div class="axis"><span>0 %</span><span>load</span><span>100 %</span></div>'
        '</figure><div class="scroll">{}</div></div></article>',
        identity(test), top, keys, svg(lines, about), _table(ranked),
    )  # fmt: skip


def _line(look: str, points: Sequence[Row], top: float) -> Markup:
    """The median of each level, and its interval as an upright stroke."""
    known = [
        (level / 100 * WIDE, slowdown, number(row.get("slowdown_low")), number(row.get("slowdown_high")))
        for row in points
        if (level := number(row.get("level_percent"))) is not None
        and (slowdown := number(row.get("slowdown"))) is not None
    ]
    path = "L".join(f"{x:.0f},{_height(middle, top):.1f}" for x, middle, *_ in known)
    strokes = "".join(
        f"M{x:.0f},{_height(low, top):.1f}V{_height(high, top):.1f}"
        for x, _, low, high in known
        if low is not None and high is not None
    )
    return html('<path class="curve l-{}" d="M{}{}"/>', look, path, strokes) if known else html("")


def _height(slowdown: float, top: float) -> float:
    return TALL - min(max((slowdown - 1) / (top - 1), 0.0), 1.0) * TALL


def _table(ranked: Sequence[tuple[str, Sequence[Row]]]) -> Markup:
    levels = list(dict.fromkeys(row.get("level_percent", "") for _, points in ranked for row in points))
    heads = joined(html('<th scope="col" class="number">{} %</th>', level) for level in levels)
    lines = []
    for name, points in ranked:
        slowdowns = {row.get("level_percent", ""): row.get("slowdown") or NOTHING for row in points}
        cells = joined(html('<td class="number">{}</td>', _short(slowdowns.get(level, NOTHING))) for level in levels)
        knee = points[0].get("knee_percent")
        told = f"{knee} %" if knee else "none"
        lines.append(html('<tr><th scope="row">{}</th>{}<td class="number">{}</td></tr>', name, cells, told))
    return html(
        '<table><thead><tr><th scope="col">Load</th>{}<th scope="col" class="number">Knee</th></tr></thead>'
        "<tbody>{}</tbody></table>",
        heads, joined(lines),
    )  # fmt: skip


def _short(slowdown: str) -> str:
    value = number(slowdown)
    return slowdown if value is None else f"{value:.2f}"


def number(cell: str | None) -> float | None:
    """The value of a cell; None where it has none that is finite."""
    try:
        value = float(cell or "")
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None
