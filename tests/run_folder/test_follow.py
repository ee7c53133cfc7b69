"""A table that is read while it grows."""

from __future__ import annotations

import os
import sys

import pytest

from pytest_twin.run_folder import follow
from pytest_twin.run_folder.follow import CsvFollower


@pytest.fixture
def path(tmp_path):
    return tmp_path / "table.csv"


@pytest.fixture
def write(path):
    """Appends text to the table."""

    def write(text):
        with path.open("a", encoding="utf-8", newline="") as file:
            file.write(text)

    return write


@pytest.fixture
def begun():
    """What the tail said of each beginning."""
    return []


@pytest.fixture
def news(path, begun):
    """The values that came since the last call."""
    table = CsvFollower(path, begun.append, last=100)
    yield lambda: [row["a"] for row in table.rows()]
    table.close()


def test_a_file_that_is_not_there_has_no_rows_until_it_is(news, write, begun):
    assert (news(), begun) == ([], [])
    write("a,b\n1,2\n")
    assert (news(), begun) == (["1"], [0])


def test_each_row_comes_once(news, write, begun):
    write("a,b\n1,x\n2,x\n")
    assert news() == ["1", "2"]
    assert news() == []
    write("3,x\n")
    assert (news(), begun) == (["3"], [0])


def test_a_torn_last_line_is_not_read_until_it_is_whole(news, write):
    write("a,b\n1,x\n2")
    assert news() == ["1"]
    write("5,x")
    assert news() == []
    write("\n")
    assert news() == ["25"]


def test_a_header_that_is_torn_is_not_read_until_it_is_whole(news, write):
    write("a,")
    assert news() == []
    write("b\n1,x\n")
    assert news() == ["1"]


def test_a_file_that_was_replaced_is_begun_anew(news, write, path, begun):
    write("a,b\n1,x\n2,x\n")
    news()
    other = path.with_suffix(".tmp")
    other.write_text("b,a\nx,7\nx,8\nx,9\n", encoding="ascii")
    other.replace(path)
    assert (news(), begun) == (["7", "8", "9"], [0, 0])


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be renamed there, so none is kept open")
def test_what_came_last_into_a_file_that_was_renamed_is_read_too(news, write, path):
    write("a,b\n1,x\n")
    news()
    write("2,x\n")
    path.rename(path.with_suffix(".0001.csv"))
    write("a,b\n3,x\n")
    assert news() == ["2", "3"]


def test_a_file_that_shrank_is_begun_anew(news, write, path, begun):
    write("a,b\n1,x\n2,x\n")
    news()
    os.truncate(path, 0)
    write("a,b\n3,x\n")
    assert (news(), begun) == (["3"], [0, 0])


def test_a_torn_line_that_is_cut_off_is_no_new_beginning(news, write, path, begun):
    """A run that appends to the files of one that was killed does so."""
    write("a,b\n1,x\n2")
    news()
    os.truncate(path, len("a,b\n1,x\n"))
    write("3,x\n")
    assert (news(), begun) == (["3"], [0])


def test_a_file_that_is_gone_is_told_once_and_may_come_back(news, write, path, begun):
    write("a,b\n1,x\n")
    news()
    path.unlink()
    assert (news(), news(), begun) == ([], [], [0, 0])
    write("a,b\n2,x\n")
    assert (news(), begun) == (["2"], [0, 0, 0])


def test_of_a_long_file_only_the_end_is_read_and_the_rest_is_counted(news, write, begun):
    write("a,b\n" + "".join(f"{number:04},x\n" for number in range(1000)))
    rows = news()
    assert 0 < len(rows) <= 100 / len("0000,x\n") + 1
    assert rows[-1] == "0999"
    assert begun == [1000 - len(rows)]


@pytest.mark.parametrize("chunk", [16, 17, 64])
def test_the_size_of_a_reading_makes_no_difference(news, write, monkeypatch, chunk):
    monkeypatch.setattr(follow, "CHUNK", chunk)
    write("a,b\n" + "".join(f"{number},x\n" for number in range(10, 30)))
    assert news() == [str(number) for number in range(10, 30)]


def test_a_line_longer_than_anything_of_ours_is_passed_over(news, write, monkeypatch):
    monkeypatch.setattr(follow, "CHUNK", 16)
    write("a,b\n1,x\n")
    news()
    write("y" * 50 + "\n2,x\n")
    assert news() == ["2"]


def test_closing_only_lets_go_of_the_file(path, write):
    table = CsvFollower(path)
    write("a,b\n1,x\n")
    assert len(list(table.rows())) == 1
    table.close()
    write("2,x\n")
    assert [row["a"] for row in table.rows()] == ["2"]
    table.close()
