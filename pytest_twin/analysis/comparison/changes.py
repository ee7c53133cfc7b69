"""What is not the same in two groups of runs beside the figures: tests, outcomes, loads, machines."""

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
    """Something of a test that was one thing before, and is another."""

    test: str
    before: str
    after: str


@dataclass(frozen=True)
class Changes:
    """What changed of the tests themselves.

    Attributes:
        added: Tests that there were none of before.
        removed: Tests that there are none of any more.
        renamed: Pairs of those two that may be the same test.
        outcomes: Tests that ended otherwise; of several runs each outcome is told.
        loads: Tests of which some runs, or all, were under another load, and are not compared.
    """

    added: Sequence[str]
    removed: Sequence[str]
    renamed: Sequence[Change]
    outcomes: Sequence[Change]
    loads: Sequence[MixedLoadTest]


def changes(before: pd.DataFrame, after: pd.DataFrame, apart: Sequence[MixedLoadTest]) -> Changes:
    """What changed of the tests.

    Args:
        before: Rows of tests.csv, of one run or of several, with the number of theirs as ``run``.
        after: The same of those to compare.
        apart: Tests of which not all runs are compared.
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
    """In what the machines differ, a few words each; nothing if they are alike in all that matters for figures."""
    was, now = list(before), list(after)
    unknown = [which for which, side in (("the first", was), ("the second", now)) if not all(side)]
    if unknown:
        return [f"no fingerprint of {' and '.join(unknown)}"]
    told = []
    for name, (part, key) in _MACHINE.items():
        old, new = ([_lookup(each, part, key) for each in side] for side in (was, now))
        if not _are_alike([*old, *new], MEMORY_TOLERANCE if part == "memory" else 0.0):
            told.append(f"{name} {_values_text(old)} -> {_values_text(new)}")
    return told


def _lookup(fingerprint: Mapping[str, Any] | None, part: str, key: str) -> Any:
    """What a fingerprint says of something; None where it says nothing, as one that was tampered with may."""
    said = (fingerprint or {}).get(part)
    return said.get(key) if isinstance(said, dict) else None


def _are_alike(values: Sequence[Any], tolerance: float) -> bool:
    if all(isinstance(value, int | float) for value in values):
        return bool(max(values) - min(values) <= tolerance * max(values))
    return len({str(value) for value in values}) == 1


def _values_text(values: Iterable[object]) -> str:
    return "/".join(dict.fromkeys("none" if value is None else str(value) for value in values))


def _outcomes(tests: pd.DataFrame) -> dict[str, str]:
    """How each test ended, by the last attempt of each run."""
    last = tests.drop_duplicates(["run", "nodeid"], keep="last")
    pairs = last[["nodeid", "outcome"]].fillna("").drop_duplicates().sort_values("outcome", kind="stable")
    return {str(name): "/".join(map(str, texts)) for name, texts in pairs.groupby("nodeid", sort=False)["outcome"]}


def _differing(before: Mapping[str, str], after: Mapping[str, str]) -> list[Change]:
    return [Change(name, was, after[name]) for name, was in before.items() if after.get(name, was) != was]


def _renamed(removed: Sequence[str], added: Sequence[str]) -> list[Change]:
    """Pairs that may be the same test: of the same name in another file first, then of a like name."""
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
    """A test without its file and class."""
    return name.rpartition("::")[2]
