"""Select the runs of a test to compare: those under the same load."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import pandas as pd

Loads = Mapping[str, Counter[str]]  # of each test the loads that it ran under, with the number of runs


class MixedLoadTest(NamedTuple):
    """A test with runs that are not compared.

    Attributes:
        test: Its id.
        load: The load of the runs that are compared; None if none are.
        before: The loads of its runs before, each with the number of runs.
        after: The same after.
    """

    test: str
    load: str | None
    before: Mapping[str, int]
    after: Mapping[str, int]


class ComparableRows(NamedTuple):
    """Rows that can be compared, and the tests with rows that cannot."""

    before: pd.DataFrame
    after: pd.DataFrame
    apart: Sequence[MixedLoadTest]


def comparable_rows(before: pd.DataFrame, after: pd.DataFrame) -> ComparableRows:
    """Leave out rows under a load that the same test does not have on the other side.

    For a test with several loads on both sides, the load of most runs on both sides is used.

    Args:
        before: Rows of tests.csv, with one load per test and run, and the number of the run as ``run``.
        after: The same for the runs to judge.
    """
    sides = before.assign(load=_texts(before)), after.assign(load=_texts(after))
    was, now = map(_loads, sides)
    chosen: dict[str, str | None] = {}
    apart = []
    for test in was.keys() & now.keys():
        old, new = was[test], now[test]
        if len(old) == len(new) == 1 and old.keys() == new.keys():
            continue  # as most do
        both = [load for load in old if load in new]
        chosen[test] = max(both, key=lambda load: (min(old[load], new[load]), old[load] + new[load]), default=None)
        apart.append(MixedLoadTest(test, chosen[test], dict(old), dict(new)))
    if not apart:
        return ComparableRows(*sides, [])
    kept = [side[_is_chosen(side, chosen)] for side in sides]
    return ComparableRows(kept[0], kept[1], sorted(apart))


def _texts(tests: pd.DataFrame) -> pd.Series[str]:
    return tests["load"].astype(object).fillna("").astype(str)


def _loads(tests: pd.DataFrame) -> Loads:
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for test, _, load in dict.fromkeys(zip(tests["nodeid"], tests["run"], tests["load"], strict=True)):
        found[str(test)][load] += 1
    return found


def _is_chosen(tests: pd.DataFrame, chosen: Mapping[str, str | None]) -> list[bool]:
    pairs = zip(tests["nodeid"], tests["load"], strict=True)
    return [chosen.get(str(test), load) == load for test, load in pairs]
