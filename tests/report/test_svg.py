"""Small plots without scripts."""

from __future__ import annotations

import numpy as np

from pytest_twin.analysis.run.panels import PanelCurve
from pytest_twin.report.html.svg import area


def paths(*curves):
    text = str(area(np.arange(6.0), curves, 100.0, (1.0, 4.0), "about", (0.0, 5.0)))
    return [each.partition('"')[0] for each in text.split(' d="')[1:]][: len(curves)]


def curve(name, *values, is_part=False):
    return PanelCurve(name, np.array(values, dtype=float), is_part)


def test_an_area_has_a_gap_where_values_are_missing():
    (path,) = paths(curve("cpu", 50, 50, np.nan, np.nan, 50, 50))
    assert path == "M0,50.0L200,50.0L200,100.0L0,100.0ZM800,50.0L1000,50.0L1000,100.0L800,100.0Z"
    assert paths(curve("cpu", *[np.nan] * 6)) == [""]


def test_a_part_stands_on_the_part_below_it():
    below, above = paths(curve("tests", *[20] * 6, is_part=True), curve("stress", *[30] * 6, is_part=True))
    assert below.startswith("M0,80.0L")
    assert above.startswith("M0,50.0L")
    assert above.endswith("L0,80.0Z")
