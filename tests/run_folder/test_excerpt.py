"""The part of a dataset that is a test's."""

from __future__ import annotations

import os

import pytest

from pytest_twin._system import stdlib
from pytest_twin.run_folder.excerpt import Excerpt, ExcerptWriter, window_of
from pytest_twin.telemetry import probes

HEADING = "timestamp,cpu_percent,disk_write_MB,elapsed_s,tests_cpu_percent,tests_resident_MB,pressure_io_percent"
TIMES = [number / 10 for number in range(1, 31)]
LINES = [f"t,{at},1,{at:.4f},{at},50,{at}" for at in TIMES]


def cells(lines, name):
    return [line.split(",")[HEADING.split(",").index(name)] for line in lines]


def cut(began, ended, **options):
    return ExcerptWriter(HEADING).cut(LINES, TIMES, began, ended, **options)


def test_a_test_has_the_rows_of_its_time():
    assert cells(cut(1.25, 1.65), "elapsed_s") == ["1.3000", "1.4000", "1.5000", "1.6000"]


@pytest.mark.parametrize("name", ["cpu_percent", "disk_write_MB", "tests_cpu_percent"])
def test_what_is_of_the_time_since_the_row_before_is_missing_in_the_first_row(name):
    assert [bool(cell) for cell in cells(cut(1.25, 1.65), name)] == [False, True, True, True]


def test_a_state_is_that_of_the_row_in_the_first_one_too():
    assert cells(cut(1.25, 1.65), "tests_resident_MB") == ["50"] * 4


def test_what_is_read_twice_a_second_is_missing_until_it_is_the_tests_own():
    found = cells(cut(1.25, 2.85), "pressure_io_percent")
    first = next(at for at, cell in enumerate(found) if cell)
    assert 0.5 <= TIMES[first] <= 1.2
    assert all(found[first:])


def test_a_row_behind_the_test_has_only_its_state():
    rows = cut(1.25, 1.65, behind_s=0.1)
    assert cells(rows, "elapsed_s")[-1] == "1.7000"
    assert [cells(rows, name)[-1] for name in ("cpu_percent", "disk_write_MB", "tests_cpu_percent")] == ["", "", ""]
    assert cells(rows, "tests_resident_MB")[-1] == "50"


def test_a_test_between_two_rows_has_none():
    assert cut(1.25, 1.28) == []


def test_every_column_that_is_no_state_has_a_window():
    """Shares and amounts are of a time, but for what is a share of something that is there."""
    states = {"ram_used_percent", "swap_used_percent", "disk_used_percent", "battery_percent"}
    of_a_time = {column.name for column in probes.known_columns() if column.unit == "%" or "since" in column.meaning}
    assert {name for name in of_a_time if window_of(name) is None} == states
    assert window_of("cpu12_percent") == window_of("cpu_percent")


# While it grows


@pytest.fixture
def dataset(tmp_path):
    """A dataset of a row each 0.1 s, of so many rows, and more later."""

    class Dataset:
        path = tmp_path / "dataset.csv"
        rows = 0

        def write(self, rows: int, *, torn: str = "") -> None:
            new = range(self.rows + 1, self.rows + rows + 1)
            with self.path.open("a", encoding="ascii") as file:
                file.write("" if self.rows else HEADING + "\n")
                file.writelines(f"t,{at},1,{at / 10:.4f},{at},50,\n" for at in new)
                file.write(torn)
            self.rows += rows

    return Dataset()


@pytest.mark.parametrize("before", [0, 5, 3000, 30_000])
def test_only_what_is_a_tests_own_is_told_however_much_is_before_it(dataset, before):
    dataset.write(before + 20)
    excerpt = Excerpt(dataset.path, (before + 10) / 10 - 0.05)
    assert excerpt.read()
    assert excerpt.column("tests_cpu_percent") == [float(at) for at in range(before + 11, before + 21)]
    excerpt.close()


def test_what_comes_later_is_read_later_and_a_line_only_when_it_is_whole(dataset):
    dataset.write(10)
    excerpt = Excerpt(dataset.path, 0.75)
    excerpt.read()
    assert excerpt.column("tests_cpu_percent") == [9, 10]
    dataset.write(1, torn="t,12,1,1.2")
    excerpt.read()
    assert excerpt.column("tests_cpu_percent") == [9, 10, 11]
    with dataset.path.open("a", encoding="ascii") as file:
        file.write("000,12,50,\n")
    excerpt.read()
    assert excerpt.column("tests_cpu_percent") == [9, 10, 11, 12]
    assert excerpt.column("pressure_io_percent") == []
    excerpt.close()


def test_a_column_has_something_of_the_test_only_once_it_is_of_nothing_before(dataset):
    dataset.write(8)
    excerpt = Excerpt(dataset.path, 0.75)
    excerpt.read()
    assert [excerpt.has_own(name) for name in (None, "tests_resident_MB", "tests_cpu_percent")] == [True, True, False]
    dataset.write(1)
    excerpt.read()
    assert excerpt.has_own("tests_cpu_percent")
    excerpt.close()


def test_a_dataset_that_is_not_there_has_nothing(tmp_path):
    excerpt = Excerpt(tmp_path / "gone.csv", 0.0)
    assert not excerpt.read()
    assert (excerpt.lines(), excerpt.column("x"), excerpt.has_own()) == ([], [], False)


def test_what_is_read_does_not_grow_with_the_session(dataset, monkeypatch):
    really_read, sizes = os.read, []

    def read(fd: int, size: int) -> bytes:
        found = really_read(fd, size)
        sizes.append(len(found))
        return found

    def bytes_read() -> int:
        sizes.clear()
        excerpt = Excerpt(dataset.path, dataset.rows / 10 - 1)
        excerpt.read()
        assert excerpt.column("tests_cpu_percent")
        excerpt.close()
        return sum(sizes)

    monkeypatch.setattr(stdlib.os, "read", read)
    dataset.write(20_000)
    short = bytes_read()
    dataset.write(200_000)
    assert 0 < bytes_read() < 1.5 * short
