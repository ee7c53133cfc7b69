"""How often probes are asked, and what becomes of what they tell."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pytest_twin.model.columns import Column
from pytest_twin.telemetry.counters import ONLY_ONCE
from pytest_twin.telemetry.probe_runner import MAX_WARNINGS, ProbeRunner
from pytest_twin.telemetry.probes import ProbeContext

TWO = (Column("one", "", "One."), Column("two", "", "Two."))


def module(read, *, name: str = "made_up", every_s: float | None = None) -> SimpleNamespace:
    """A module of a probe of two columns that reads like this."""
    probe = SimpleNamespace(read=read) if every_s is None else SimpleNamespace(read=read, every_s=every_s)
    return SimpleNamespace(__name__=f"package.{name}", COLUMNS=TWO, probe=lambda _: probe)


def values(*found: SimpleNamespace, foreign: tuple[str, ...] = ()) -> ProbeRunner:
    return ProbeRunner(found, ProbeContext(1), foreign)


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
    asked = values(
        module(lambda _: next(answers), every_s=every_s),
        module(lambda at: (at, at), name="other"),
        foreign=("package.made_up",),
    )
    assert [asked.read(at)[:2] for at in (0.0, 1.0, 2.0)] == [[1, 2], [None, None], [5, 6]]
    assert asked.warnings == ["made_up: ValueError: returned 1 values for 2 columns"]


def test_no_more_than_some_warnings_are_kept():
    asked = values(module(lambda at: 1 / 0 if at < 0 else int(f"x{at}")))
    for at in range(3 * MAX_WARNINGS):
        asked.read(float(at))
    assert len(asked.warnings) == MAX_WARNINGS


def test_what_another_package_tells_does_not_break_the_line():
    asked = values(module(lambda _: ("a,b", float("nan"))), foreign=("package.made_up",))
    assert asked.read(0.0) == ["a b", None]


def test_a_text_that_another_package_lacks_is_an_empty_cell_whatever_else_is_missing():
    answers = iter([("text", None), (None, 5.0), ("text", None)])
    found = module(lambda _: next(answers))
    found.COLUMNS = Column("one", "", "One.", None), Column("two", "", "Two.")
    asked = values(found, foreign=("package.made_up",))
    assert [asked.line(float(at)) for at in range(3)] == ["text,", ",5.00", "text,"]


def test_legacy_columns_come_first_and_every_row_is_whole():
    """The columns of a probe are apart then."""
    old, older = Column("old", "", "Old.", 0, legacy=2), Column("older", "", "Older.", 0, legacy=1)
    new = Column("new", "", "New.", 0)
    found = module(lambda at: (at, at + 1, None, at + 2), every_s=1.0), module(lambda at: (at + 3, at + 4))
    found[0].COLUMNS, found[1].COLUMNS = (new, old, older, new), (new, old)
    asked = values(*found)
    assert [column.name for column in asked.columns] == ["older", "old", "old", "new", "new", "new"]
    assert [asked.line(at) for at in (10.0, 10.5, 20.0)] == [",11,14,10,12,13", ",11,14,10,12,14", ",21,24,20,22,23"]
    assert asked.read(30.0) == [None, 31.0, 34.0, 30.0, 32.0, 33.0]


# The end of a run


class Counted:
    """A module of a probe of one share and one amount, of which it is known when it was read."""

    __name__ = "package.counted"
    COLUMNS = (
        Column("share", "%", "Of the time since the last reading.", window_s=1.0),
        Column("amount", "MiB", "Since the last reading.", 3, is_amount=True, window_s=1.0),
    )

    def __init__(self, rate: float = 1.0, every_s: float = 1.0) -> None:
        self.rate, self.every_s, self.before = rate, every_s, 0.0

    def probe(self, _context):
        return self

    def read(self, at: float):
        since, self.before = self.before, at
        return at, self.rate * (at - since)


def test_the_last_row_asks_every_probe_so_that_amounts_add_up():
    asked = values(Counted(every_s=1.0), Counted(every_s=0.3), Counted(every_s=0.0))
    asked.line(0.0)
    rows = [asked.line(at / 10).split(",") for at in range(1, 15)]
    rows.append(asked.last_line(1.45).split(","))
    for amounts in list(zip(*rows, strict=True))[1::2]:
        assert sum(map(float, amounts)) == pytest.approx(1.45)


def test_a_share_of_too_short_a_time_is_left_as_it_was_in_the_last_row():
    asked = values(Counted(every_s=1.0))
    for at in (0.0, 1.0, 1.2):
        asked.read(at)
    assert asked.last_line(1.3) == "1.00,0.300"


def test_a_last_row_of_its_own_is_asked_for_where_a_probe_has_one():
    probe = Counted(every_s=0.0)
    probe.read_last = lambda at: (at, 42)
    assert values(probe).last_line(1.0) == "1.00,42.000"


def test_what_rounding_takes_away_is_told_with_the_next_amount():
    """A few bytes for each row would be 0.000 MiB for ever."""
    asked = values(Counted(rate=0.0004, every_s=0.0))
    asked.line(0.0)
    cells = [asked.line(float(at)).split(",")[1] for at in range(1, 101)]
    assert set(cells) == {"0.000", "0.001"}
    assert sum(map(float, cells)) == pytest.approx(0.04, abs=0.001)
