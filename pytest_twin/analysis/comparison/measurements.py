"""Convert the rows of runs to measurements of tests: one per run, or with a single run one per attempt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pytest_twin.analysis.comparison.common_factor import CommonFactor, common_factor
from pytest_twin.analysis.run.by_host import add_host_to_ids
from pytest_twin.model.attempt_row import circumstances
from pytest_twin.model.measure import Measure

if TYPE_CHECKING:
    import pandas as pd

WHOLE = ""  # in the place of a test: all of them together
PASSED = "passed"
NEEDED = ("nodeid", "outcome", "load")  # a file that was cut down may lack them


class MeasurementGrid(NamedTuple):
    """The measurements of one test, or of all tests together.

    Attributes:
        test: Its id, or `WHOLE`.
        measure: The measure.
        before: A value for each run before, or for each attempt.
        after: The same after.
        own: Both without the common factor of all tests in a run, if that is known.
        common: The common factor of the runs after; 1 if unknown.
    """

    test: str
    measure: Measure
    before: Sequence[float]
    after: Sequence[float]
    own: tuple[Sequence[float], Sequence[float]]
    common: float = 1.0


class MeasurementSet(NamedTuple):
    """All measurements of one measure.

    Attributes:
        each: Of all tests together, then of each test.
        common: The common factor of all tests in a run; None if unknown.
    """

    each: Sequence[MeasurementGrid]
    common: CommonFactor | None


def concatenate_runs(runs: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return the rows of tests.csv of several runs, with the number of the run as ``run``.

    Constraints are added to the load: runs under other ones cannot be compared.
    """
    import pandas as pd

    tests = pd.concat([run.assign(run=number) for number, run in enumerate(runs)], ignore_index=True)
    tests.attrs = {}  # what columns mean: pandas copies it deeply in every step, which took half of the time
    tests = tests.assign(**{name: None for name in NEEDED if name not in tests})
    if "constraint" not in tests or tests["constraint"].isna().all():
        return tests
    texts = (tests[name].astype(object).fillna("") for name in ("load", "constraint"))
    return tests.assign(load=[circumstances(*pair) for pair in zip(*texts, strict=True)])


def reported_attempts(tests: pd.DataFrame) -> pd.DataFrame:
    """Return the attempts under the load of the last attempt of their run, which is the one that pytest reports.

    Repetitions under another load, for a slowdown budget or a profile, say nothing about the test itself.
    """
    loads = tests["load"].astype(object).fillna("")
    return tests[loads == loads.groupby([tests["run"], tests["nodeid"]]).transform("last")]


def measurements(before: pd.DataFrame, after: pd.DataFrame, measure: Measure) -> MeasurementSet:
    """Return the measurements of all tests together, and of each test.

    Only passed attempts count. The total is over the tests that passed in every run, the same ones in each.

    Args:
        before: Rows of one run or several, as `concatenate_runs` returns them.
        after: The same for the runs to judge.
        measure: The measure.
    """
    columns = [column for column in measure.columns if all(is_known(side, column) for side in (before, after))]
    if not columns:
        return MeasurementSet((), None)
    complete = [side[side["run"].isin(runs_with(side, columns))] for side in (before, after)]
    numbers = [side["run"].nunique() for side in complete]
    costs = [_costs(side, columns) for side in complete]
    by_run = [_by_run(side) for side in costs]
    grids = _shared([_grid(side, number) for side, number in zip(by_run, numbers, strict=True)])
    common = common_factor(*grids, measure) if grids else None
    sides = costs if numbers == [1, 1] else by_run
    was, now = map(_by_test, sides)
    own_was, own_now = map(_by_test, _adjust(sides, common)) if common else (was, now)
    ratio = common.ratio if common else 1.0
    tests = [
        MeasurementGrid(name, measure, was[name], now[name], (own_was[name], own_now[name]), ratio)
        for name in was
        if name in now
    ]
    return MeasurementSet([*_whole(measure, grids), *tests], common)


def whole_runs(runs: Sequence[pd.DataFrame], measure: Measure) -> pd.DataFrame | None:
    """Return the tests that passed in every run, a row each, a column per run; None if there is none, or no value."""
    tests = reported_attempts(*add_host_to_ids([concatenate_runs(runs)]))
    columns = [column for column in measure.columns if is_known(tests, column)]
    grid = _grid(_by_run(_costs(tests, columns)), len(runs)) if columns else None
    return grid if grid is not None and len(grid) else None


def is_known(tests: pd.DataFrame, column: str) -> bool:
    """Tell whether a column has a value: where one side has none, the other is left out too."""
    return column in tests and bool(tests[column].notna().any())


def runs_with(tests: pd.DataFrame, columns: Sequence[str]) -> set[int]:
    """Return the runs in which a test has values in all of these columns; older versions may lack one."""
    complete = tests[tests[list(columns)].notna().all(axis=1)]
    return set(complete["run"])


def _costs(tests: pd.DataFrame, columns: list[str]) -> pd.Series[float]:
    """Return the measure of each passed attempt, by test and run; an unknown value is no measurement."""
    kept = tests[tests["outcome"] == PASSED]
    costs = kept.set_index(["nodeid", "run"])[columns].astype(float).sum(axis=1, skipna=False)
    return costs.dropna()


def _by_test(costs: pd.Series[float]) -> dict[str, Sequence[float]]:
    return {str(name): found.tolist() for name, found in costs.groupby(level="nodeid", sort=False)}


def _by_run(costs: pd.Series[float]) -> pd.Series[float]:
    """Return one value per test and run: the median of the attempts."""
    return costs.groupby(["nodeid", "run"], sort=False).median()


def _grid(costs: pd.Series[float], runs: int) -> pd.DataFrame | None:
    """Return the tests that passed in each run, a column per run; None if nothing passed in one of them."""
    grid = costs.unstack("run").dropna()  # noqa: PD010
    return grid.sort_index(axis=1) if grid.shape[1] == runs else None


def _shared(grids: Sequence[pd.DataFrame | None]) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """Return the tests that passed in each run of both sides; None if there is none."""
    before, after = grids
    if before is None or after is None:
        return None
    both = before.index.intersection(after.index)
    return (before.loc[both], after.loc[both]) if len(both) else None


def _adjust(sides: Sequence[pd.Series[float]], common: CommonFactor) -> list[pd.Series[float]]:
    """Return the figures without the common factors of their runs."""
    return [side.div(each, level="run") for side, each in zip(sides, (common.before, common.after), strict=True)]


def _whole(measure: Measure, grids: tuple[pd.DataFrame, pd.DataFrame] | None) -> Iterator[MeasurementGrid]:
    if grids:
        was, now = (getattr(np, measure.whole)(grid.to_numpy(), axis=0).tolist() for grid in grids)
        yield MeasurementGrid(WHOLE, measure, was, now, (was, now))
