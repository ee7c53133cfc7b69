"""Filling a column in the text of a table."""

from __future__ import annotations

import pytest

from pytest_twin.model.attempt_row import COLUMNS, TREE_PEAK
from pytest_twin.model.csv_text import records
from pytest_twin.run_folder.tables import fill_column, table_text

NAMES = [column.name for column in COLUMNS]


@pytest.mark.parametrize("constraint", ["", "cpu=0.5", "cpu=0.5, mem=1GiB", 'the "second"'])
def test_only_the_column_changes_whatever_the_texts_behind_it_have(constraint):
    row = {**dict.fromkeys(NAMES, "1"), "nodeid": 'test_a.py::test_it["a, b"]', "constraint": constraint, TREE_PEAK: ""}
    filled = {**row, TREE_PEAK: "77.0"}
    assert records(fill_column(table_text(NAMES, [row, row]), NAMES, TREE_PEAK, [filled, filled])) == [filled, filled]
