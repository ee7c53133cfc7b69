"""Small plots as SVG, without scripts, for screen and paper."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pytest_twin.analysis.run.downsampling import select_rows
from pytest_twin.analysis.run.panels import PanelCurve
from pytest_twin.model.time_axis import Values
from pytest_twin.report.html.markup import join, markup

if TYPE_CHECKING:
    from markupsafe import Markup

WIDE, TALL = 1000, 100
MOST_POINTS = 300


def area(
    times: Values,
    curves: Sequence[PanelCurve],
    top: float,
    within: tuple[float, float],
    about: str,
    borders: tuple[float, float],
) -> Markup:
    """Return curves as areas, stacked if they are parts of a whole, with a gap where a value is missing.

    Args:
        times: The times of their values.
        curves: The curves to draw.
        top: The value at the upper edge.
        within: The time range between two dashed lines.
        about: The description for screen readers.
        borders: The times at the left and the right edge.
    """
    places = select_rows(times, [curve.values for curve in curves], MOST_POINTS)
    left, right = borders
    x = np.clip((times[places] - left) / max(right - left, 1e-9), 0, 1) * WIDE
    below, paths = np.zeros(len(places)), []
    for curve in curves:
        values = curve.values[places]
        known = np.nan_to_num(values)
        above = below + known if curve.is_part else known
        outlines = [_outline(x[piece], below[piece], above[piece], top) for piece in _known_pieces(values)]
        paths.append(markup('<path class="f-{}" d="{}"/>', curve.name, "".join(outlines)))
        below = above if curve.is_part else below
    shares = [(at - left) / max(right - left, 1e-9) * WIDE for at in within]
    borders_of_it = join(markup('<path class="border" d="M{0:.1f},0V{1}"/>', at, TALL) for at in shares)
    return svg(join([*paths, borders_of_it]), about)


def scale(values: Values) -> float:
    """Return a round value above the highest: 5, 10, 25, 50 or 100 %."""
    highest = float(np.nanmax(values, initial=0.0))
    return next((top for top in (5.0, 10.0, 25.0, 50.0) if highest <= top * 0.95), 100.0)


def bars(counts: Sequence[int], about: str) -> Markup:
    """Return a histogram."""
    most, width = max(counts), WIDE / len(counts)
    steps = [
        f"M{place * width:.1f},{TALL}v-{count / most * TALL:.1f}h{width * 0.9:.1f}V{TALL}z"
        for place, count in enumerate(counts)
        if count
    ]
    return svg(markup('<path class="f-bar" d="{}"/>', "".join(steps)), about)


def _known_pieces(values: Values) -> list[slice]:
    """Return the stretches without a missing value."""
    known = np.concatenate([[False], np.isfinite(values), [False]])
    borders = np.flatnonzero(known[1:] != known[:-1]).tolist()
    return [slice(start, end) for start, end in zip(borders[::2], borders[1::2], strict=True)]


def _outline(x: Values, below: Values, above: Values, top: float) -> str:
    upper, lower = (TALL - np.clip(values / top, 0, 1) * TALL for values in (above, below))
    forth = [f"{at:.0f},{height:.1f}" for at, height in zip(x.tolist(), upper.tolist(), strict=True)]
    back = [f"{at:.0f},{height:.1f}" for at, height in zip(x[::-1].tolist(), lower[::-1].tolist(), strict=True)]
    return "M" + "L".join([*forth, *back]) + "Z"


def svg(inner: Markup, about: str) -> Markup:
    """Return a plot of flexible width with a description for screen readers."""
    return markup(
        '<svg viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>',
        WIDE,
        TALL,
        about,
        inner,
    )
