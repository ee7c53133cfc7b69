"""The history of a baseline as time series for a change-point detector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_twin.analysis.comparison.measurements import whole_runs
from pytest_twin.model.measure import MEASURES

if TYPE_CHECKING:
    import pandas as pd

MOST_TESTS = 50


def series(runs: Sequence[pd.DataFrame]) -> dict[str, list[float]]:
    """Return a series over all runs for each measure of all tests together, and for the CPU time of expensive tests.

    Only tests that passed in every run are included, so no series has a gap.

    Args:
        runs: The rows of tests.csv of each run, oldest first.
    """
    cpu = MEASURES["cpu_seconds"]
    found = {}
    for measure in MEASURES.values():
        grid = whole_runs(runs, measure)
        if grid is not None:
            together = grid.sum() if measure.whole == "sum" else grid.max()
            found[measure.name] = together.tolist()
    grid = whole_runs(runs, cpu)
    if grid is not None:
        heavy = grid.median(axis=1).sort_values(ascending=False)
        for test in heavy[heavy >= cpu.floor].index[:MOST_TESTS]:
            found[f"{cpu.name} {test}"] = grid.loc[test].tolist()
    return found
