"""How often probes are asked, and what becomes of what they tell."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pytest_twin.model.columns import Column
from pytest_twin.probes import Context
from pytest_twin.probes.asked import MOST_WARNINGS, Values
from pytest_twin.probes.kernel import ONLY_ONCE

TWO = (Column("one", "", "One."), Column("two", "", "Two."))


def module(read, *, name: str = "made_up", every_s: float | None = None) -> SimpleNamespace:
    """A module of a probe of two columns that reads like this."""
    probe = SimpleNamespace(read=read) if every_s is None else SimpleNamespace(read=read, every_s=every_s)
    return SimpleNamespace(__name__=f"package.{name}", COLUMNS=TWO, probe=lambda _: probe)


def values(*found: SimpleNamespace, foreign: tuple[str, ...] = ()) -> Values:
    return Values(found, Context(1), foreign)


def test_a_probe_is_asked_for_every_row_unless_it_says_otherwise():
    asked = values(module(lambda at: (at, 0)), module(lambda at: (at, 1), every_s=1.0))
    rows = [list(asked.read(at)) for at in (5.0, 5.5, 5.9, 6.0, 6.5)]
    assert [row[0] for row in rows] == [5.0, 5.5, 5.9, 6.0, 6.5]
    assert [row[2] for row in rows] == [5.0, 5.0, 5.0, 6.0, 6.0]


def test_each_probe_has_its_own_time():
    asked = values(module(lambda at: (at, 0), every_s=1.0), module(lambda at: (at, 0), every_s=0.4))
    assert [asked.read(at)[::2] for at in (0.0, 0.5, 1.0)] == [[0.0, 0.0], [0.0, 0.5], [1.0, 1.0]]


def test_what_is_not_there_is_asked_for_once():
    times = []
    asked = values(module(lambda at: times.append(at) or (None, None), every_s=ONLY_ONCE))
    assert [asked.read(at) for at in (0.0, 1e9)] == [[None, None]] * 2
    assert times == [0.0]


@pytest.mark.parametrize("every_s", [None, 1.0])
def test_a_probe_that_fails_is_asked_again_and_has_no_values_in_between(every_s):
    answers = iter([(1, 2), (3,), (5, 6)])
    asked = values(module(lambda _: next(answers), every_s=every_s), module(lambda at: (at, at)))
    assert [asked.read(at)[:2] for at in (0.0, 1.0, 2.0)] == [[1, 2], [None, None], [5, 6]]
    assert asked.warnings == ["made_up: ValueError: gave 1 values for 2 columns"]


def test_no_more_than_some_warnings_are_kept():
    asked = values(module(lambda at: 1 / 0 if at < 0 else int(f"x{at}")))
    for at in range(3 * MOST_WARNINGS):
        asked.read(float(at))
    assert len(asked.warnings) == MOST_WARNINGS


def test_what_another_package_tells_does_not_break_the_line():
    asked = values(module(lambda _: ("a,b", float("nan"))), foreign=("package.made_up",))
    assert asked.read(0.0) == ["a b", None]
