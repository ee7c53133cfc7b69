"""Rows of a run's tables are read with the standard library, and only as much of them as is asked for."""

from __future__ import annotations

import pytest

from pytest_twin.run_folder.csv_rows import read_columns, read_rows, read_rows_with

HEADING = "nodeid,outcome,worker\n"
ROWS = HEADING + 'test_a,passed,gw0\n"test_b[1, 2]",failed,gw1\ntest_c,failed\ntest_d,error,\ntest_e,pas'
FEW_INSTRUCTIONS = 60


@pytest.fixture
def table(tmp_path):
    """A table with a damaged line and a torn one."""
    path = tmp_path / "table.csv"
    path.write_text(ROWS, encoding="ascii")
    return path


def test_all_whole_rows_are_read(table):
    assert [row["nodeid"] for row in read_rows(table)] == ["test_a", "test_b[1, 2]", "test_d"]


def test_rows_are_found_by_the_value_of_a_column(table):
    found = list(read_rows_with(table, "outcome", {"failed", "error"}))
    assert found == [
        {"nodeid": "test_b[1, 2]", "outcome": "failed", "worker": "gw1"},
        {"nodeid": "test_d", "outcome": "error", "worker": ""},
    ]


def test_some_columns_are_read_in_the_order_in_which_they_are_asked_for(table):
    assert list(read_columns(table, ("worker", "nodeid"))) == [
        ("gw0", "test_a"), ("gw1", "test_b[1, 2]"), ("", "test_d")
    ]  # fmt: skip


def test_a_table_that_is_not_there_or_empty_has_no_rows_and_one_without_the_column_is_damaged(table):
    for path in (table.with_name("none.csv"), table.with_name("empty.csv")):
        assert list(read_rows_with(path, "outcome", {"failed"})) == list(read_columns(path, ("nodeid", "worker"))) == []
        table.with_name("empty.csv").touch()
    with pytest.raises(ValueError, match="host"):
        list(read_rows_with(table, "host", {""}))
    with pytest.raises(ValueError, match="host"):
        list(read_columns(table, ("nodeid", "host")))


def test_a_row_that_is_passed_over_takes_few_instructions(table, instructions):
    table.write_text(HEADING + "test_a,passed,gw0\n" * 100, encoding="ascii")
    assert instructions(lambda: list(read_rows_with(table, "outcome", {"failed"}))) < 100 * FEW_INSTRUCTIONS
    assert instructions(lambda: list(read_columns(table, ("nodeid", "outcome")))) < 100 * FEW_INSTRUCTIONS
