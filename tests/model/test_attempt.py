"""Rows of tests.csv, from the kernel's counters."""

from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_twin.model.attempt import COLUMNS, NOTHING, Counters, cells

COUNTS = st.builds(Counters, st.integers(0, 10**9), *[st.none() | st.integers(0, 10**9)] * 7)
EARLY = Counters(10.0, 1.0, 0.5, 0.0, 2**20, 0, 5, 1)
LATE = Counters(12.5, 2.5, 0.75, 0.25, 3 * 2**20, 2**19, 9, 1)


def test_what_was_counted_in_between_is_a_difference():
    assert LATE.since(EARLY) == Counters(2.5, 1.5, 0.25, 0.25, 2 * 2**20, 2**19, 4, 0)


def test_what_was_counted_in_two_phases_is_a_sum():
    assert EARLY.plus(LATE) == Counters(22.5, 3.5, 1.25, 0.25, 4 * 2**20, 2**19, 14, 2)


def test_a_counter_that_is_missing_on_one_side_is_missing_in_the_result():
    blind = LATE._replace(read=None)
    assert blind.since(EARLY).read is None
    assert LATE.since(blind).read is None
    assert EARLY.plus(blind).read is None


def test_the_cells_are_in_the_units_of_the_columns():
    used = Counters(9.0, 1.5, 0.25, 0.0, 2**20, 3 * 2**19, 12, 0)
    assert cells(used, 50 * 2**20) == ("1.500000", "0.250000", "0.000000", "50.000", "1.000", "1.500", "12", "0")


def test_a_counter_that_the_platform_has_not_is_no_zero():
    assert cells(Counters(9.0, *[None] * 7), None) == (None,) * 8


def test_there_is_a_column_for_each_of_the_cells():
    names = [column.name for column in COLUMNS]
    first = names.index("cpu_user_s")
    assert names[first : first + len(cells(NOTHING, 0))] == [
        *("cpu_user_s", "cpu_system_s", "children_cpu_s"),
        *("peak_memory_MB", "read_MB", "written_MB"),
        *("context_switches", "major_faults"),
    ]


def test_no_column_is_there_twice():
    assert len({column.name for column in COLUMNS}) == len(COLUMNS)


@given(COUNTS, COUNTS)
@settings(max_examples=60, deadline=None)
def test_what_came_later_is_what_was_before_and_what_was_in_between(before, now):
    both = [one is not None and two is not None for one, two in zip(before, now, strict=True)]
    again = before.plus(now.since(before))
    assert list(again) == [value if known else None for value, known in zip(now, both, strict=True)]


@given(COUNTS)
@settings(max_examples=30, deadline=None)
def test_nothing_adds_nothing(counts):
    assert NOTHING.plus(counts) == counts
