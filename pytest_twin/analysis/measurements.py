"""The rows of several runs as measurements of tests: one a run, or where there is one run only, one an attempt."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pytest_twin.model.measure import Measure

if TYPE_CHECKING:
    import pandas as pd

WHOLE = ""  # in the place of a test: all of them together
PASSED = "passed"


class Measured(NamedTuple):
    """The measurements of one test, or of all together.

    Attributes:
        test: Its id, or `WHOLE`.
        measure: What was measured.
        before: A value for each run before, or for each attempt.
        after: The same after.
    """

    test: str
    measure: Measure
    before: Sequence[float]
    after: Sequence[float]


def together(runs: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The rows of tests.csv of several runs, with the number of theirs as ``run``."""
    import pandas as pd

    tests = pd.concat([run.assign(run=number) for number, run in enumerate(runs)], ignore_index=True)
    tests.attrs = {}  # what columns mean: pandas copies it deeply in every step, which took half of the time
    return tests


def measurements(
    before: pd.DataFrame, after: pd.DataFrame, measure: Measure, leave_out: Container[str] = ()
) -> Iterator[Measured]:
    """What was measured of all tests together, and then of each.

    Only what passed counts. All tests together are those that passed in every run, the same ones in each.

    Args:
        before: Rows of one run or of several, as `together` makes them.
        after: The same of those to judge.
        measure: What to look at.
        leave_out: Tests that are not to be compared.
    """
    columns = [column for column in measure.columns if all(_is_known(side, column) for side in (before, after))]
    if not columns:
        return
    are_single = before["run"].nunique() == after["run"].nunique() == 1
    sides = [_costs(side, columns, leave_out) for side in (before, after)]
    by_run = [_by_run(side) for side in sides]
    numbers = before["run"].nunique(), after["run"].nunique()
    yield from _whole(measure, [_grid(side, number) for side, number in zip(by_run, numbers, strict=True)])
    was, now = (_by_test(side) for side in (sides if are_single else by_run))
    yield from (Measured(name, measure, was[name], now[name]) for name in was if name in now)


def whole_runs(runs: Sequence[pd.DataFrame], measure: Measure) -> pd.DataFrame | None:
    """The tests that passed in every run: a row each, a column a run; None where there is none, or nothing is known."""
    tests = together(runs)
    columns = [column for column in measure.columns if _is_known(tests, column)]
    grid = _grid(_by_run(_costs(tests, columns, ())), len(runs)) if columns else None
    return grid if grid is not None and len(grid) else None


def _is_known(tests: pd.DataFrame, column: str) -> bool:
    """Whether this machine tells it: where it does not, the other side's is left out too."""
    return column in tests and bool(tests[column].notna().any())


def _costs(tests: pd.DataFrame, columns: list[str], leave_out: Container[str]) -> pd.Series[float]:
    """The measure of each attempt that passed, by test and run; one that is not known is no measurement."""
    kept = tests[(tests["outcome"] == PASSED) & ~tests["nodeid"].map(leave_out.__contains__)]
    costs = kept.set_index(["nodeid", "run"])[columns].astype(float).sum(axis=1, skipna=False)
    return costs.dropna()


def _by_test(costs: pd.Series[float]) -> dict[str, Sequence[float]]:
    return {str(name): found.tolist() for name, found in costs.groupby(level="nodeid", sort=False)}


def _by_run(costs: pd.Series[float]) -> pd.Series[float]:
    """One value a test and run: the median of the attempts."""
    return costs.groupby(["nodeid", "run"], sort=False).median()


def _grid(costs: pd.Series[float], runs: int) -> pd.DataFrame | None:
    """The tests that passed in each run, a column a run; None where nothing passed in one of them."""
    grid = costs.unstack("run").dropna()  # noqa: PD010
    return grid.sort_index(axis=1) if grid.shape[1] == runs else None


def _whole(measure: Measure, grids: Sequence[pd.DataFrame | None]) -> Iterator[Measured]:
    before, after = grids
    if before is None or after is None:
        return
    common = before.index.intersection(after.index)
    if len(common):
        was, now = (
            getattr(np, measure.whole)(grid.loc[common].to_numpy(), axis=0).tolist() for grid in (before, after)
        )
        yield Measured(WHOLE, measure, was, now)
