"""Rows of tests.csv, from the kernel's counters."""

import pytest

from pytest_twin.model.attempt_row import (
    COLUMNS,
    EXACT,
    ChildCounters,
    PhaseUsage,
    exact_figures,
    memory_figures,
    properties,
)
from pytest_twin.model.columns import CellFormatter

MIB = 1 << 20
USED = PhaseUsage(1.5, 0.25, 4, 0, 0, 3 * MIB // 2)
NONE_USED = PhaseUsage(0.0, 0.0, 0, 0, 0, 0)
NOTHING = ChildCounters(0.0, 0, 0, 0)
UNKNOWN = ChildCounters(None, None, None, None)


def children(before: ChildCounters, after: ChildCounters) -> list[float | None]:
    """CPU and peak of children."""
    exact = exact_figures(NONE_USED, before, after, None)
    return [exact[2], exact[4]]


def test_the_figures_are_in_the_units_of_the_columns():
    began, ended = ChildCounters(1.0, 10 * MIB, 0, 3 * MIB), ChildCounters(3.5, 20 * MIB, MIB, 5 * MIB)
    exact = exact_figures(USED, began, ended, 15.0)
    assert exact == [1.5, 0.25, 2.5, 15.0, 20.0, 1.0, 3.5, 4, 0]


def test_a_counter_that_the_platform_has_not_is_no_zero():
    exact = exact_figures(PhaseUsage(0.0, 0.0), UNKNOWN, UNKNOWN, None)
    assert exact == [0.0, 0.0, *[None] * (len(EXACT) - 2)]
    assert CellFormatter(EXACT).of(tuple(exact))[2:] == [""] * (len(EXACT) - 2)
    assert properties(exact, memory_figures(None, None, None), "") == [("twin_cpu_s", 0.0)]


@pytest.mark.parametrize(
    ("before", "after", "told"), [(10, 20, 20.0), (20, 20, None), (None, 20, 20.0), (5, None, None)]
)
def test_the_peak_of_children_is_told_where_it_grew(before, after, told):
    sizes = [None if size is None else size * MIB for size in (before, after)]
    assert children(ChildCounters(0.0, sizes[0], 0, 0), ChildCounters(0.0, sizes[1], 0, 0))[1] == told


@pytest.mark.parametrize(("own", "told"), [(20, None), (19, 20.0), (None, 20.0)])
def test_the_mark_that_a_program_has_from_the_process_that_started_it_is_not_its_peak(own, told):
    exact = exact_figures(NONE_USED, ChildCounters(0, 0, 0, 0), ChildCounters(0, 20 * MIB, 0, 0), own)
    assert exact[[column.name for column in EXACT].index("children_peak_memory_MB")] == told


def test_ticks_that_are_lost_when_a_child_is_reaped_are_no_time_given_back():
    assert children(ChildCounters(1.009, 0, 0, 0), ChildCounters(1.0, 0, 0, 0))[0] == 0.0


def test_what_a_child_took_with_it_that_nobody_waited_for_leaves_no_figure_rather_than_a_wrong_one():
    assert children(ChildCounters(3.0, 0, 0, 0), ChildCounters(1.0, 0, 0, 0))[0] is None


def test_the_cells_have_the_decimals_that_their_counters_have():
    exact = [1.5, 0.25, 2.0, 50.0, 20.0, 1.0, 1.5, 12, 0]
    cells = CellFormatter(EXACT).of(tuple(exact))
    assert cells == ["1.500000", "0.250000", "2.000000", "50.000", "20.000", "1.000", "1.500", "12", "0"]


def test_reports_get_the_cpu_the_peaks_and_the_load():
    exact = [1.5, 0.25, 2.0, 50.0, None, 1.0, 1.5, 12, 0]
    memory = memory_figures(30 * MIB, 50 * MIB, 29 * MIB)
    assert properties(exact, memory, "cpu=1", cpu_wait_s=0.1234567) == [
        ("twin_cpu_s", 1.75),
        ("twin_cpu_wait_s", 0.123457),
        ("twin_peak_memory_MB", 50.0),
        ("twin_children_cpu_s", 2.0),
        ("twin_memory_growth_MB", 20.0),
        ("twin_memory_kept_MB", -1.0),
        ("twin_load", "cpu=1"),
    ]


@pytest.mark.parametrize(
    ("before", "mark", "after", "told"),
    [
        (100, 160, 130, (100, 60, 30)),
        (100, 99, 40, (100, 0, -60)),
        (100, 100, 103, (100, 3, 3)),
        (100, None, 130, (100, None, 30)),
        (None, 160, 130, (None, None, None)),
        (None, None, None, (None, None, None)),
    ],
    ids=["kept", "freed", "the mark lags", "no mark", "no beginning", "nothing"],
)
def test_growth_is_the_peak_less_what_there_was_before_and_kept_what_stays_of_it(before, mark, after, told):
    assert memory_figures(*(size and size * MIB for size in (before, mark, after)))[1:] == told


def test_there_is_a_figure_and_a_cell_for_each_of_the_exact_columns():
    exact = exact_figures(NONE_USED, NOTHING, NOTHING, 0)
    assert len(exact) == len(EXACT)
    names = [column.name for column in COLUMNS]
    first = names.index("cpu_user_s")
    assert names[first : first + len(EXACT)] == [
        *("cpu_user_s", "cpu_system_s", "children_cpu_s"),
        *("peak_memory_MB", "children_peak_memory_MB", "read_MB", "written_MB"),
        *("context_switches", "major_faults"),
    ]


def test_no_column_is_there_twice():
    assert len({column.name for column in COLUMNS}) == len(COLUMNS)
