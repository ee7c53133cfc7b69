"""Differences between two groups of runs other than figures: tests, outcomes, loads, machines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import pandas as pd

    from pytest_twin.analysis.comparison.same_load import MixedLoadTest

MOST_TO_MATCH = 200  # of tests whose names are looked at for likeness: that takes the square of it
NEAR = 0.85
MEMORY_TOLERANCE = 0.02  # kernels of one machine keep different amounts for themselves

_MACHINE = {
    "CPU": ("cpu", "model"),
    "CPUs": ("cpu", "logical"),
    "allowed CPUs": ("cpu", "allowed"),
    "CPU quota": ("cpu", "cgroup_quota"),
    "memory in GiB": ("memory", "total_GB"),
    "memory limit in GiB": ("memory", "cgroup_limit_GB"),
    "OS": ("os", "name"),
    "kernel": ("os", "release"),
    "architecture": ("os", "machine"),
    "Python": ("python", "version"),
    "implementation": ("python", "implementation"),
}


class Change(NamedTuple):
    """A value of a test that changed."""

    test: str
    before: str
    after: str


@dataclass(frozen=True)
class Changes:
    """The tests that changed.

    Attributes:
        added: Tests that exist only after.
        removed: Tests that exist only before.
        renamed: Pairs of a removed and an added test that may be the same.
        outcomes: Tests with different outcomes; several runs list each outcome.
        loads: Tests with some or all runs under a different load, which are not compared.
    """

    added: Sequence[str]
    removed: Sequence[str]
    renamed: Sequence[Change]
    outcomes: Sequence[Change]
    loads: Sequence[MixedLoadTest]


def changes(before: pd.DataFrame, after: pd.DataFrame, apart: Sequence[MixedLoadTest]) -> Changes:
    """Return the tests that changed.

    Args:
        before: Rows of tests.csv of one run or several, with the number of their run as ``run``.
        after: The same for the runs to compare.
        apart: Tests with runs that are not compared.
    """
    old, new = (dict.fromkeys(map(str, side["nodeid"])) for side in (before, after))
    added, removed = [name for name in new if name not in old], [name for name in old if name not in new]
    return Changes(
        added=added,
        removed=removed,
        renamed=_renamed(removed, added),
        outcomes=_differing(_outcomes(before), _outcomes(after)),
        loads=apart,
    )


def machines(before: Iterable[Mapping[str, Any] | None], after: Iterable[Mapping[str, Any] | None]) -> list[str]:
    """Return the differences between the machines, one text each; empty if all that affects figures is alike."""
    was, now = list(before), list(after)
    unknown = [which for which, side in (("the first", was), ("the second", now)) if not all(side)]
    if unknown:
        return [f"no fingerprint of {' and '.join(unknown)}"]
    differences = []
    for name, (part, key) in _MACHINE.items():
        old, new = ([_lookup(each, part, key) for each in side] for side in (was, now))
        if not _are_alike([*old, *new], MEMORY_TOLERANCE if part == "memory" else 0.0):
            differences.append(f"{name} {_values_text(old)} -> {_values_text(new)}")
    return differences


def _lookup(fingerprint: Mapping[str, Any] | None, part: str, key: str) -> Any:
    """Return a value of a fingerprint; None if it has none, as an edited one may."""
    values = (fingerprint or {}).get(part)
    return values.get(key) if isinstance(values, dict) else None


def _are_alike(values: Sequence[Any], tolerance: float) -> bool:
    if all(isinstance(value, int | float) for value in values):
        return bool(max(values) - min(values) <= tolerance * max(values))
    return len({str(value) for value in values}) == 1


def _values_text(values: Iterable[object]) -> str:
    return "/".join(dict.fromkeys("none" if value is None else str(value) for value in values))


def _outcomes(tests: pd.DataFrame) -> dict[str, str]:
    """Return the outcomes of each test, by the last attempt in each run."""
    last = tests.drop_duplicates(["run", "nodeid"], keep="last")
    pairs = last[["nodeid", "outcome"]].fillna("").drop_duplicates().sort_values("outcome", kind="stable")
    return {str(name): "/".join(map(str, texts)) for name, texts in pairs.groupby("nodeid", sort=False)["outcome"]}


def _differing(before: Mapping[str, str], after: Mapping[str, str]) -> list[Change]:
    return [Change(name, was, after[name]) for name, was in before.items() if after.get(name, was) != was]


def _renamed(removed: Sequence[str], added: Sequence[str]) -> list[Change]:
    """Return pairs that may be the same test: the same name in another file first, then a similar name."""
    found, left = [], dict.fromkeys(added)
    times = Counter(map(_function, (*removed, *added)))
    by_function = {_function(name): name for name in added}
    are_few = max(len(removed), len(added)) <= MOST_TO_MATCH
    for old in removed:
        new = by_function.get(_function(old)) if times[_function(old)] == 2 else None
        if new is None and are_few:
            new = next(iter(get_close_matches(old, left, 1, NEAR)), None)
        if new in left:
            found.append(Change(old, old, new))
            del left[new]
    return found


def _function(name: str) -> str:
    """Return a test id without file and class."""
    return name.rpartition("::")[2]
