"""Completing the files of a run that is over."""

from __future__ import annotations

import tracemalloc

import pytest

from pytest_twin.analysis.run.overview import SuiteFigures
from pytest_twin.model.attempt_row import COLUMNS, TREE_PEAK
from pytest_twin.model.csv_text import records
from pytest_twin.run_folder.finalize import finalize
from pytest_twin.run_folder.folder import RunFolder
from pytest_twin.run_folder.layout import ANNOTATIONS, DATASET, HEADERS, TESTS
from pytest_twin.run_folder.tables import table_text

NAMES = [column.name for column in COLUMNS]
SAMPLES = "elapsed_s,tests_resident_MB,load_1m\n0.5,70.5,1\n1.5,77.0,1\n2.5,,1\n"


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    """A run of three samples."""
    (tmp_path / DATASET).write_text(SAMPLES, encoding="ascii")
    return RunFolder(tmp_path)


def row_of(nodeid: str = "test_a.py::test_it", began: float = 1.0, **cells: str) -> dict[str, str]:
    times = {"elapsed_s": f"{began:.4f}", "duration_s": "0.900000"}
    return {**dict.fromkeys(NAMES, ""), "nodeid": nodeid, "attempt": "1", "outcome": "passed", **times, **cells}


@pytest.mark.parametrize("constraint", ["", "cpu=0.5", "cpu=0.5, mem=1GiB", 'the "second"', "'=1+1"])
def test_only_the_peak_changes_whatever_the_texts_of_a_row_are(folder, constraint):
    row = row_of('test_a.py::test_it["a, b"]', constraint=constraint)
    (folder / TESTS).write_text(table_text(NAMES, [row, row]), encoding="utf-8")
    finalize(folder, 1.0)
    assert folder.rows(TESTS) == [{**row, TREE_PEAK: "77.0"}] * 2


def test_a_damaged_line_is_left_out_and_the_others_are_completed(folder):
    whole = table_text(NAMES, [row_of("a"), row_of("b")])
    (folder / TESTS).write_text(whole.replace("\nb,", '\nwhat,"?\n\nb,') + "torn,1", encoding="utf-8")
    finalize(folder, 1.0)
    assert (folder / TESTS).read_text(encoding="utf-8") == table_text(
        NAMES, [row_of(name, **{TREE_PEAK: "77.0"}) for name in "ab"]
    )


def test_a_table_of_fewer_columns_gets_all_of_them(folder):
    old = NAMES[: NAMES.index(TREE_PEAK)]
    (folder / TESTS).write_text(table_text(old, [row_of(), row_of("b", 9.0)]), encoding="utf-8")
    finalize(folder, 1.0)
    assert folder.rows(TESTS) == [row_of(**{TREE_PEAK: "77.0"}), row_of("b", 9.0)]


def test_each_completed_row_is_handed_on_with_the_events_that_are_not_of_tests(folder):
    (folder / TESTS).write_text(table_text(NAMES, [row_of("a"), row_of("b", 5.0)]), encoding="utf-8")
    shared = {"timestamp": "t", "elapsed_s": "1.0", "event": "start"}
    events = [{**shared, "id": "t1", "type": "test", "test": "a"}, {**shared, "type": "note", "detail": 'a "note"'}]
    (folder / ANNOTATIONS).write_text(table_text(HEADERS[ANNOTATIONS], events), encoding="utf-8")
    handed_on: list[dict[str, str]] = []
    left = finalize(folder, 1.0, handed_on.append)
    assert handed_on == [row_of("a", **{TREE_PEAK: "77.0"}), row_of("b", 5.0)]
    assert [(row["type"], row["detail"]) for row in left] == [("note", 'a "note"')]


def test_a_load_that_another_applied_is_in_the_row_of_each_test_in_its_time(folder):
    rows = [row_of("before", 0.2), row_of("a, b", 1.0, load="mem=1GiB"), row_of("c", 1.0, host="h2"), row_of("d", 3)]
    (folder / TESTS).write_text(table_text(NAMES, rows), encoding="utf-8")
    load = {"id": "l1", "type": "cpu", "target": "50%"}
    events = [{**load, "event": "start", "elapsed_s": "1.5"}, {**load, "event": "end", "elapsed_s": "2.5"}]
    (folder / ANNOTATIONS).write_text(table_text(HEADERS[ANNOTATIONS], events), encoding="utf-8")
    finalize(folder, 1.0)
    assert [row["load"] for row in folder.rows(TESTS)] == ["", "mem=1GiB cpu=50%", "", ""]


def test_completing_takes_less_memory_than_the_table_itself(folder):
    text = table_text(NAMES, [row_of(f"test_a.py::test_it[{at}]") for at in range(20_000)])
    (folder / TESTS).write_text(text, encoding="utf-8")
    tracemalloc.start()
    finalize(folder, 1.0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < len(text)
    assert len(records((folder / TESTS).read_text(encoding="utf-8"))) == 20_000


def test_to_complete_a_row_and_to_sum_it_up_takes_few_instructions(folder, instructions):
    rows = [row_of(f"test_a.py::test_it[{at}]", cpu_user_s="0.001000", written_MB="0.000") for at in range(100)]
    (folder / TESTS).write_text(table_text(NAMES, rows), encoding="utf-8")
    assert instructions(lambda: finalize(folder, 1.0, SuiteFigures().add)) < 100 * 850
