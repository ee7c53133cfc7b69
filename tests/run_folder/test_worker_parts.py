"""The parts of the workers of pytest-xdist become one table, in the order of time."""

from __future__ import annotations

import pytest

from pytest_twin.model import event
from pytest_twin.model.attempt_row import COLUMNS
from pytest_twin.model.clock import Clock
from pytest_twin.model.event import Event
from pytest_twin.run_folder.csv_rows import read_rows
from pytest_twin.run_folder.tables import table_text
from pytest_twin.run_folder.worker_parts import merged_text

CLOCK = Clock(0.0, 1_700_000_000.0)
NAMES = [column.name for column in COLUMNS]


@pytest.fixture
def part(tmp_path):
    """Writes a part of a table."""

    def write(name: str, text: str):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def attempt(nodeid: str, at: float, **cells: str) -> dict[str, str]:
    when = {"start": CLOCK.stamp(at), "elapsed_s": f"{at:.4f}", "duration_s": "0.500000"}
    return {**dict.fromkeys(NAMES, ""), "nodeid": nodeid, **when, **cells}


@pytest.mark.parametrize("constraint", ["", 'cpu=0.5, "mem"=1GiB', "'=1+1"])
def test_rows_of_all_workers_come_in_the_order_of_time_as_they_were_written(tmp_path, part, constraint):
    rows = [attempt(f'test_a.py::test_it["{at}, b"]', at, constraint=constraint) for at in range(1, 9)]
    paths = [part(f"{first}", table_text(NAMES, rows[first::3])) for first in (2, 0, 1)]
    assert merged_text(paths, NAMES) == table_text(NAMES, rows)


def test_the_calendar_comes_first_since_the_seconds_of_an_appended_recording_may_begin_anew(part):
    early = Event(900.0, event.NOTE, detail="of the first day").row(CLOCK)
    late = Event(5.0, event.NOTE, detail="of the second day").row(Clock(0.0, CLOCK.epoch + 86_400))
    heading = ",".join(event.FIELDS) + "\n"
    assert merged_text([part("a", heading + late), part("b", heading + early)], event.FIELDS) == heading + early + late


def test_a_row_that_is_in_two_files_is_one(part):
    text = table_text(NAMES, [attempt("a", 1.0), attempt("b", 2.0)])
    assert merged_text([part("all", text), part("one", text)], NAMES) == text


def test_whole_rows_are_kept_where_others_are_torn(part):
    whole, other = (table_text(NAMES, [attempt(name, 1.0)]) for name in "ab")
    torn = other.partition("\n")[2]
    paths = [part("torn", whole + torn[:-9]), part("within", whole + torn[:-9] + "\n" + torn)]
    assert merged_text(paths, NAMES) == whole + torn
    assert merged_text([part("header", ",".join(NAMES) + "\n"), part("empty", ""), part("none", "nodeid")], NAMES) == ""


def test_rows_of_an_older_version_get_the_columns_of_this_one(part):
    old = ("nodeid", "start", "elapsed_s", "worker", "gone")
    path = part("old", table_text(old, [{**attempt("'=1", 1.0), "gone": "x, y", "worker": "gw0"}]))
    new = part("new", table_text(NAMES, [attempt("b", 0.5)]))
    (tmp := path.with_name("merged")).write_text(merged_text([path, new], NAMES), encoding="utf-8")
    wanted = attempt("'=1", 1.0, worker="gw0") | {"duration_s": ""}
    assert list(read_rows(tmp)) == [attempt("b", 0.5), wanted]


def test_a_table_without_times_keeps_the_order_of_its_files(part):
    names = ("nodeid", "resource")
    rows = [{"nodeid": name, "resource": "cpu"} for name in "cab"]
    paths = [part("first", table_text(names, rows[:2])), part("second", table_text(names, rows[2:]))]
    assert merged_text(paths, names) == table_text(names, rows)


def test_a_row_takes_few_instructions(part, instructions):
    path = part("many", table_text(NAMES, [attempt(f"test_{number}", number) for number in range(100)]))
    assert instructions(lambda: merged_text([path], NAMES)) < 100 * 100
