"""Rows of tests.csv, from the kernel's counters."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_twin.model.attempt_row import (
    COLUMNS,
    EXACT,
    BorderCounters,
    ChildCounters,
    ResidentBytes,
    exact_figures,
    phase_starts,
    phase_walls,
    properties,
)
from pytest_twin.model.columns import CellFormatter

MIB = 1 << 20
COUNTS = st.builds(BorderCounters, *[st.integers(0, 10**9)] * 3, *[st.none() | st.integers(0, 10**9)] * 4)
EARLY = BorderCounters(10.0, 1.0, 0.5, 5, 1, MIB, MIB)
LATE = BorderCounters(12.5, 2.5, 0.75, 9, 1, MIB, 5 * MIB // 2)
NOTHING = ChildCounters(0.0, 0, 0, 0)
UNKNOWN, UNSEEN = ChildCounters(None, None, None, None), ResidentBytes(None, None, None)


def used(*phases: list[BorderCounters]) -> list[float | None]:
    """User, system, switches and faults of these phases."""
    exact = exact_figures({str(at): phase for at, phase in enumerate(phases)}, NOTHING, NOTHING, None)
    return [*exact[:2], *exact[-2:]]


def children(before: ChildCounters, after: ChildCounters) -> list[float | None]:
    """CPU and peak of children."""
    exact = exact_figures({}, before, after, None)
    return [exact[2], exact[4]]


def test_what_was_counted_in_between_is_a_difference():
    assert used([EARLY, LATE]) == [1.5, 0.25, 4, 0]


def test_what_was_counted_in_two_phases_is_a_sum():
    assert used([EARLY, LATE], [EARLY, LATE]) == [3.0, 0.5, 8, 0]


def test_without_a_phase_nothing_was_used():
    assert used() == [0.0] * 4


def test_a_counter_that_is_missing_on_one_side_is_missing_in_the_result():
    blind = LATE._replace(faults=None)
    for phases in ([[EARLY, blind]], [[blind, LATE]], [[EARLY, blind], [EARLY, LATE]]):
        assert used(*phases)[3] is None


def test_the_figures_are_in_the_units_of_the_columns():
    began, ended = ChildCounters(1.0, 10 * MIB, 0, 3 * MIB), ChildCounters(3.5, 20 * MIB, MIB, 5 * MIB)
    exact = exact_figures({"call": [EARLY, LATE]}, began, ended, 15.0)
    assert exact == [1.5, 0.25, 2.5, 15.0, 20.0, 1.0, 3.5, 4, 0]


def test_the_wall_of_a_phase_is_from_its_first_to_its_last_reading():
    assert phase_walls({"call": [EARLY, LATE], "setup": [EARLY, EARLY]}) == [0.0, 2.5, None]


def test_a_phase_starts_with_its_first_reading():
    assert phase_starts({"call": [LATE, LATE], "setup": [EARLY, LATE]}, 9.75) == [0.25, 2.75, None]


def test_a_counter_that_the_platform_has_not_is_no_zero():
    blind = BorderCounters(9.0, 1.0, 1.0, None, None, None, None)
    exact = exact_figures({"call": [blind, blind]}, UNKNOWN, UNKNOWN, None)
    assert exact == [0.0, 0.0, *[None] * (len(EXACT) - 2)]
    assert CellFormatter(EXACT).of(tuple(exact))[2:] == [""] * (len(EXACT) - 2)
    assert properties(exact, UNSEEN.figures(), "") == [("twin_cpu_s", 0.0)]


@pytest.mark.parametrize(
    ("before", "after", "told"), [(10, 20, 20.0), (20, 20, None), (None, 20, 20.0), (5, None, None)]
)
def test_the_peak_of_children_is_told_where_it_grew(before, after, told):
    sizes = [None if size is None else size * MIB for size in (before, after)]
    assert children(ChildCounters(0.0, sizes[0], 0, 0), ChildCounters(0.0, sizes[1], 0, 0))[1] == told


@pytest.mark.parametrize(("own", "told"), [(20, None), (19, 20.0), (None, 20.0)])
def test_the_mark_that_a_program_has_from_the_process_that_started_it_is_not_its_peak(own, told):
    exact = exact_figures({}, ChildCounters(0, 0, 0, 0), ChildCounters(0, 20 * MIB, 0, 0), own)
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
    assert properties(exact, ResidentBytes(30 * MIB, 50 * MIB, 29 * MIB).figures(), "cpu=1") == [
        ("twin_cpu_s", 1.75),
        ("twin_children_cpu_s", 2.0),
        ("twin_peak_memory_MB", 50.0),
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
    assert ResidentBytes(*(size and size * MIB for size in (before, mark, after))).figures()[1:] == told


def test_there_is_a_figure_and_a_cell_for_each_of_the_exact_columns():
    exact = exact_figures({}, NOTHING, NOTHING, 0)
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


@given(COUNTS, COUNTS, COUNTS)
@settings(max_examples=60, deadline=None)
def test_phases_that_follow_one_another_are_as_one(first, second, third):
    pieces, whole = used([first, second], [second, third]), used([first, third])
    assert all(one == other for one, other in zip(pieces, whole, strict=True) if one is not None)


@given(COUNTS)
@settings(max_examples=30, deadline=None)
def test_a_phase_in_which_nothing_happened_used_nothing(counts):
    assert not any(used([counts, counts]))
