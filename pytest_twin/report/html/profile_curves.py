"""The section of the page with slowdown curves, from the rows of profile.csv."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_twin.model.csv_text import parse_number
from pytest_twin.model.duration_text import NOTHING
from pytest_twin.report.html.markup import identity, join, markup
from pytest_twin.report.html.svg import TALL, WIDE, svg
from pytest_twin.report.profile_ranking import (
    Row,
    SlowdownCurve,
    first_error,
    has_failures,
    is_sure,
    rank_resources,
    worst_failures,
)

if TYPE_CHECKING:
    from markupsafe import Markup

MOST = 60
ASIDE = 8
PERIOD_S = 0.1  # in which a quota of CPU time is counted
SHORT_REMARK = (
    "The test is shorter than the period of a quota (100 ms): it is only stopped once it has used the share of one "
    "period, so milder quotas show nothing, and the slowdown depends on when in a period it begins."
)
LEAST_TOP = 2.0  # times as slow: what hardly slows should not look like a cliff
CROSS = 6  # half of the width of a cross
LOOKS = {"cpu": "stress", "membw": "memory", "disk": "in", "quota": "stress"}


def curves_part(rows: Sequence[Row]) -> Markup:
    """Return a plot and a table for each test of a profile."""
    found = list(rank_resources(rows))
    more = markup("<p>… and {} more in profile.csv</p>", f"{len(found) - MOST:,}") if len(found) > MOST else ""
    return markup('<div class="details">{}</div>{}', join(_of_test(*each) for each in found[:MOST]), more)


def _of_test(nodeid: str, curves: Sequence[SlowdownCurve]) -> Markup:
    """Return a plot and a table of the loads, those of the quota of CPU time, and a sentence on failures."""
    loads = [curve for curve in curves if not curve.is_quota]
    quota = [curve for curve in curves if curve.is_quota]
    failures = worst_failures(curves)
    return markup(
        "<article><h3>{}</h3>{}{}{}{}</article>",
        identity(nodeid),
        _plot_and_table(nodeid, loads, ("0 %", "load", "100 %"), "no load", "full load") if loads else "",
        _plot_and_table(nodeid, quota, ("100 %", "CPU quota", "0 %"), "all CPUs", "no CPU") if quota else "",
        markup('<p class="soft small">{}</p>', SHORT_REMARK) if _is_short(quota) else "",
        markup('<p><b class="badge failed">fails {}</b> {:.200}</p>', failures, first_error(curves))
        if failures
        else "",
    )


def _is_short(quota: Sequence[SlowdownCurve]) -> bool:
    idle = [seconds for curve in quota for row in curve.points if (seconds := parse_number(row.get("idle_s")))]
    return bool(idle) and max(idle) < PERIOD_S


def _plot_and_table(
    nodeid: str, curves: Sequence[SlowdownCurve], axis: tuple[str, str, str], left: str, right: str
) -> Markup:
    slowdowns = (parse_number(row.get("slowdown")) for curve in curves for row in curve.points)
    top = max([LEAST_TOP, *(value * 1.1 for value in slowdowns if value is not None)])
    aside = [(place - (len(curves) - 1) / 2) * ASIDE for place in range(len(curves))]
    lines = join(_line(curve, top, by) for curve, by in zip(curves, aside, strict=True))
    keys = join(
        markup('<span><i class="key c-{}"></i> {} </span>', LOOKS.get(name, "rest"), name) for name, _ in curves
    )
    about = f"Slowdown of {nodeid:.200}, from {left} on the left to {right} on the right"
    return markup(
        '<div class="pair"><figure><figcaption><span>slowdown, 1 to {:.1f}</span>'
        '<span>{}</span></figcaption>{}<div class="axis"><span>{}</span><span>{}</span><span>{}</span></div>'
        '</figure><div class="scroll">{}</div></div>',
        top, keys, svg(lines, about), *axis, _table(curves, axis[1].capitalize() if left == "no load" else axis[1]),
    )  # fmt: skip


def _line(curve: SlowdownCurve, top: float, aside: float) -> Markup:
    """Return the median of each level as a line, its intervals as vertical bars beside it, and a cross at failures."""
    known: list[tuple[float, float, float | None, float | None]] = []
    crosses: list[tuple[float, float]] = []
    for row in curve.points:
        level, slowdown = (parse_number(row.get(name)) for name in ("level_percent", "slowdown"))
        if level is None:
            continue
        x = (100 - level if curve.is_quota else level) / 100 * WIDE
        if slowdown is not None:
            low, high = (parse_number(row.get(name)) for name in ("slowdown_low", "slowdown_high"))
            known.append((x, slowdown, low, high))
        if has_failures(row):
            crosses.append(
                (min(max(x + aside, CROSS), WIDE - CROSS), _height(top if slowdown is None else slowdown, top))
            )
    path = "L".join(f"{x:.0f},{_height(middle, top):.1f}" for x, middle, *_ in known)
    strokes = "".join(
        f"M{min(max(x + aside, 0), WIDE):.0f},{_height(low, top):.1f}V{_height(high, top):.1f}"
        for x, _, low, high in known
        if low is not None and high is not None
    )
    look = LOOKS.get(curve.resource, "rest")
    marks = "".join(
        f"M{x - CROSS:.0f},{y - CROSS / 2:.1f}l{2 * CROSS},{CROSS}m0,-{CROSS}l-{2 * CROSS},{CROSS}" for x, y in crosses
    )
    return join(
        [
            markup('<path class="curve l-{}" d="M{}{}"/>', look, path, strokes) if known else markup(""),
            markup('<path class="curve fails" d="{}"/>', marks) if marks else markup(""),
        ]
    )


def _height(slowdown: float, top: float) -> float:
    return TALL - min(max((slowdown - 1) / (top - 1), 0.0), 1.0) * TALL


def _table(curves: Sequence[SlowdownCurve], name: str) -> Markup:
    levels = list(dict.fromkeys(row.get("level_percent", "") for curve in curves for row in curve.points))
    heads = join(markup('<th scope="col" class="number">{} %</th>', level) for level in levels)
    lines = []
    for curve in curves:
        rows = {row.get("level_percent", ""): row for row in curve.points}
        cells = join(markup('<td class="number">{}</td>', _cell(rows.get(level, {}))) for level in levels)
        row = '<tr><th scope="row">{}</th>{}<td class="number">{}</td></tr>'
        lines.append(markup(row, curve.resource, cells, curve.knee_or_doubt))
    return markup(
        '<table class="curves"><thead><tr><th scope="col">{}</th>{}<th scope="col" class="number">Knee</th></tr>'
        "</thead><tbody>{}</tbody></table>",
        name, heads, join(lines),
    )  # fmt: skip


def _cell(row: Row) -> Markup | str:
    slowdown = row.get("slowdown") or NOTHING
    value = parse_number(slowdown)
    text = slowdown if value is None else f"{value:.2f}{'' if is_sure(row) else '?'}"
    if not has_failures(row):
        return text
    return markup('{}<br><b class="badge failed">{} of {} failed</b>', text, row["failures"], row.get("runs", "?"))
