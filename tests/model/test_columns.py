"""Columns of the samples' file."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_twin.model.columns import ELAPSED, TIMESTAMP, CellFormatter, Column, header, order


def column(name, legacy=None, digits=2):
    return Column(name, "", "", digits, legacy)


def test_the_legacy_columns_come_first_in_their_old_order():
    columns = [column("ours"), column("b", legacy=1), ELAPSED, TIMESTAMP]
    assert [columns[at].name for at in order(columns)] == ["timestamp", "b", "ours", "elapsed_s"]


def test_a_legacy_column_comes_first_even_where_few_columns_are_there():
    assert order([column("ours"), column("battery_percent", legacy=14)]) == [1, 0]


@given(st.permutations([None, None, *range(6)]))
@settings(max_examples=30, deadline=None)
def test_the_order_holds_each_column_once_and_keeps_ours_as_they_came(places):
    columns = [column(str(at), legacy=place) for at, place in enumerate(places)]
    expected = [places.index(place) for place in range(6)] + [at for at, place in enumerate(places) if place is None]
    assert order(columns) == expected


def test_the_header_is_the_names():
    assert header([TIMESTAMP, ELAPSED]) == "timestamp,elapsed_s"


@pytest.mark.parametrize(
    ("digits", "value", "written"),
    [(2, 1.005, "1.00"), (0, 2.7, "3"), (3, 0, "0.000"), (2, -1, "-1.00"), (2, "true", "true")],
)
def test_a_value_is_written_with_the_decimals_of_its_column(digits, value, written):
    assert CellFormatter([column("x", digits=digits)]).of((value,)) == [written]


def test_a_missing_value_is_an_empty_cell_and_never_a_zero():
    columns = [ELAPSED, column("x"), TIMESTAMP]
    assert CellFormatter(columns).of((None, 0.0, None)) == ["", "0.00", ""]


def test_a_text_that_is_missing_later_is_an_empty_cell_too():
    cells = CellFormatter([TIMESTAMP, column("x")])
    assert [cells.of(row) for row in [("now", None), (None, None), ("now", 1)]] == [
        ["now", ""],
        ["", ""],
        ["now", "1.00"],
    ]


@given(st.lists(st.tuples(*[st.none() | st.integers(0, 2) | st.floats(0, 2) | st.sampled_from(["", "a"])] * 2)))
@settings(max_examples=50, deadline=None)
def test_cells_do_not_depend_on_those_before_them(rows):
    columns = [ELAPSED, column("x")]
    cells = CellFormatter(columns)
    assert [cells.of(row) for row in rows] == [CellFormatter(columns).of(row) for row in rows]
