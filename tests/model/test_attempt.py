"""Rows of tests.csv, from the kernel's counters."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_twin.model.attempt import (
    COLUMNS,
    EXACT,
    NOTHING,
    Children,
    Counters,
    cells,
    figures,
    properties,
    used,
)

MIB = 1 << 20
COUNTS = st.builds(Counters, st.integers(0, 10**9), *[st.none() | st.integers(0, 10**9)] * 6)
EARLY = Counters(10.0, 1.0, 0.5, MIB, 0, 5, 1)
LATE = Counters(12.5, 2.5, 0.75, 3 * MIB, MIB // 2, 9, 1)
IN_BETWEEN = Counters(2.5, 1.5, 0.25, 2 * MIB, MIB // 2, 4, 0)
NO_CHILDREN = (Children(0.0, 0), Children(0.0, 0))


def test_what_was_counted_in_between_is_a_difference():
    assert used([(EARLY, LATE)]) == IN_BETWEEN


def test_what_was_counted_in_two_phases_is_a_sum():
    assert used([(EARLY, LATE), (EARLY, LATE)]) == Counters(5.0, 3.0, 0.5, 4 * MIB, MIB, 8, 0)


def test_without_a_phase_nothing_was_used():
    assert used([]) == NOTHING


def test_a_counter_that_is_missing_on_one_side_is_missing_in_the_result():
    blind = LATE._replace(read=None)
    assert used([(EARLY, blind)]) == IN_BETWEEN._replace(read=None)
    assert used([(blind, LATE)]).read is None
    assert used([(EARLY, blind), (EARLY, LATE)]).read is None


def test_the_figures_are_in_the_units_of_the_columns():
    spent = Counters(9.0, 1.5, 0.25, MIB, 3 * MIB // 2, 12, 0)
    children = Children(1.0, 10 * MIB), Children(3.5, 20 * MIB)
    assert figures(spent, children, 50 * MIB) == [1.5, 0.25, 2.5, 50.0, 20.0, 1.0, 1.5, 12, 0]


def test_a_counter_that_the_platform_has_not_is_no_zero():
    unknown = Children(None, None)
    exact = figures(Counters(9.0, *[None] * 6), (unknown, unknown), None)
    assert exact == [None] * len(EXACT)
    assert cells(exact) == [None] * len(EXACT)
    assert properties(exact, "") == []


@pytest.mark.parametrize(
    ("before", "after", "told"), [(10, 20, 20.0), (20, 20, None), (None, 20, 20.0), (5, None, None)]
)
def test_the_peak_of_children_is_told_where_it_grew(before, after, told):
    sizes = [None if size is None else size * MIB for size in (before, after)]
    assert figures(NOTHING, (Children(0.0, sizes[0]), Children(0.0, sizes[1])), None)[4] == told


def test_ticks_that_are_lost_when_a_child_is_reaped_are_no_time_given_back():
    assert figures(NOTHING, (Children(1.009, 0), Children(1.0, 0)), None)[2] == 0.0


def test_the_cells_have_the_decimals_that_their_counters_have():
    exact = [1.5, 0.25, 2.0, 50.0, 20.0, 1.0, 1.5, 12, 0]
    assert cells(exact) == ["1.500000", "0.250000", "2.000000", "50.000", "20.000", "1.000", "1.500", "12", "0"]


def test_reports_get_the_cpu_the_peaks_and_the_load():
    exact = [1.5, 0.25, 2.0, 50.0, None, 1.0, 1.5, 12, 0]
    assert properties(exact, "cpu=1") == [
        ("twin_cpu_s", 1.75),
        ("twin_children_cpu_s", 2.0),
        ("twin_peak_memory_MB", 50.0),
        ("twin_load", "cpu=1"),
    ]


def test_there_is_a_figure_and_a_cell_for_each_of_the_exact_columns():
    exact = figures(NOTHING, NO_CHILDREN, 0)
    assert len(exact) == len(cells(exact)) == len(EXACT)
    names = [column.name for column in COLUMNS]
    first = names.index("cpu_user_s")
    assert names[first : first + len(EXACT)] == [
        *("cpu_user_s", "cpu_system_s", "children_cpu_s"),
        *("peak_memory_MB", "children_peak_memory_MB", "read_MB", "written_MB"),
        *("context_switches", "major_faults"),
    ]


def test_no_column_is_there_twice():
    assert len({column.name for column in COLUMNS}) == len(COLUMNS)


@given(COUNTS, COUNTS, COUNTS)
@settings(max_examples=60, deadline=None)
def test_phases_that_follow_one_another_are_as_one(first, second, third):
    known = [None not in values for values in zip(first, second, third, strict=True)]
    pieces, whole = used([(first, second), (second, third)]), used([(first, third)])
    assert [value for value, is_known in zip(pieces, known, strict=True) if is_known] == [
        value for value, is_known in zip(whole, known, strict=True) if is_known
    ]


@given(COUNTS)
@settings(max_examples=30, deadline=None)
def test_a_phase_in_which_nothing_happened_used_nothing(counts):
    assert all(not value for value in used([(counts, counts)]))
