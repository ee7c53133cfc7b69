"""Tables that rows are appended to, and the pieces that a long one is written in."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_twin._system import stdlib
from pytest_twin._system.append_file import AppendOnlyFile, piece_number, piece_path
from pytest_twin.run_folder.rotation import open_segments, segments

HEADER = "number\n"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data.csv"


def numbers(path) -> list[int]:
    """All rows, piece after piece."""
    lines = [line for piece in open_segments(path) for line in piece.file.read().decode().split("\n")[:-1]]
    return [int(line) for line in lines if line != "number"]


def test_a_table_that_is_large_enough_goes_on_in_a_new_file(path):
    rows = AppendOnlyFile(str(path), HEADER, rotate_at=20)
    for number in range(1000, 1010):
        rows.append(f"{number}\n")
    rows.close()
    assert [each.name for each in segments(path)] == ["data.0001.csv", "data.0002.csv", "data.0003.csv", "data.csv"]
    assert path.with_name("data.0001.csv").read_bytes() == b"number\n1000\n1001\n1002\n"
    assert path.read_bytes() == b"number\n1009\n"


def test_without_a_size_there_is_one_file(path):
    rows = AppendOnlyFile(str(path), HEADER)
    for number in range(100):
        rows.append(f"{number}\n")
    rows.close()
    assert segments(path) == [path]


@settings(max_examples=40, deadline=None)
@given(sizes=st.lists(st.integers(0, 40), min_size=1, max_size=4), count=st.integers(0, 30))
def test_no_row_is_lost_and_none_is_there_twice(tmp_path_factory, sizes, count):
    path = tmp_path_factory.mktemp("rows") / "data.csv"
    for turn, size in enumerate(sizes):  # each is another recording that goes on
        rows = AppendOnlyFile(str(path), HEADER, size)
        for number in range(count):
            rows.append(f"{turn * count + number}\n")
        rows.close()
    assert numbers(path) == list(range(len(sizes) * count))


def test_the_numbers_go_on_behind_all_that_there_are(path):
    for name in ("data.0007.csv.gz", "data.12345.parquet", "data.99999.txt.csv", "data.999.csv", "other.99999.csv"):
        path.with_name(name).touch()
    path.with_name("data.99999.txt.csv").unlink()
    rows = AppendOnlyFile(str(path), HEADER, rotate_at=1)
    rows.append("1\n")
    rows.close()
    assert path.with_name("data.12346.csv").exists()


@given(st.integers(1, 10**6))
def test_a_piece_is_known_by_the_name_that_it_is_given(number):
    assert piece_number(os.path.basename(piece_path("a/b.csv", number)), "elsewhere/b.csv") == number


@pytest.mark.parametrize("name", ["b.csv", "b.1.csv", "b.0001", "c.0001.csv", "b.²²²².csv", "b.-001.csv", "b0001.csv"])
def test_other_files_are_no_pieces(name):
    assert piece_number(name, "b.csv") == 0


def test_a_file_that_cannot_be_renamed_grows_on(path, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    rows = AppendOnlyFile(str(path), HEADER, rotate_at=10)
    with monkeypatch.context() as locked:
        locked.setattr(stdlib.os, "rename", refuse)
        for number in range(10):
            rows.append(f"{number}\n")
    assert segments(path) == [path]
    rows.append("10\n")
    rows.close()
    assert len(segments(path)) == 2
    assert numbers(path) == list(range(11))


def test_a_new_file_that_cannot_be_opened_is_tried_again_with_the_next_row(path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.EMFILE, "Too many open files")

    rows = AppendOnlyFile(str(path), HEADER, rotate_at=10)
    rows.append("100\n")
    with monkeypatch.context() as full:
        full.setattr(stdlib.os, "open", refuse)
        with pytest.raises(OSError, match="Too many open files"):
            rows.append("101\n")
    rows.append("102\n")
    rows.close()
    assert numbers(path) == [100, 102]
    assert path.read_text() == "number\n102\n"


def filled_after(room, error):
    """A write that takes so many bytes, and then fails."""
    really_write, left = os.write, [room]

    def write(fd, data):
        if not left[0]:
            raise error
        taken, left[0] = data[: left[0]], max(0, left[0] - len(data))
        return really_write(fd, taken)

    return write


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), OSError(27, "File too large")])
def test_what_kept_a_row_from_being_written_is_told_as_it_is(path, monkeypatch, error):
    rows = AppendOnlyFile(str(path), HEADER)
    with monkeypatch.context() as full:
        full.setattr(stdlib.os, "write", filled_after(3, error))
        with pytest.raises(OSError, match=error.strerror):
            rows.append("101\n")
    rows.close()
    assert path.read_text() == HEADER


def test_a_row_that_is_taken_in_two_parts_is_whole(path, monkeypatch):
    rows = AppendOnlyFile(str(path), HEADER)
    really_write = os.write
    with monkeypatch.context() as slow:
        slow.setattr(stdlib.os, "write", lambda fd, data: really_write(fd, data[:3]))
        rows.append("101\n")
    rows.close()
    assert numbers(path) == [101]


def test_a_disk_that_is_full_when_a_new_file_begins_leaves_no_torn_header(path, monkeypatch):
    rows = AppendOnlyFile(str(path), HEADER, rotate_at=10)
    rows.append("100\n")
    with monkeypatch.context() as full:
        full.setattr(stdlib.os, "write", filled_after(3, OSError(28, "No space left on device")))
        with pytest.raises(OSError, match="No space left"):
            rows.append("101\n")
    rows.append("102\n")
    rows.close()
    assert path.read_text() == "number\n102\n"
    assert numbers(path) == [100, 102]


WRITER = """
import sys
from pytest_twin._system.append_file import AppendOnlyFile
rows = AppendOnlyFile(sys.argv[1], "number\\n", 50)
begin = int(sys.argv[2])
for number in range(begin, begin + 20_000):  # however late the kill is
    rows.append(f"{number}\\n")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_writer_that_is_killed_at_any_moment_leaves_every_row_before_it(path):
    begin = 0
    for turn in range(5):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(begin)])
        while not len(segments(path)) > 10 * (turn + 1):
            time.sleep(0.001)
        writer.kill()
        writer.wait()
        found = numbers(path)
        assert found == list(range(len(found)))
        begin = len(found)


def test_a_reader_sees_every_row_while_new_pieces_begin(path):
    rows = AppendOnlyFile(str(path), HEADER, rotate_at=12)
    for number in range(20):
        rows.append(f"{number}\n")
    reading = open_segments(path)
    first = next(reading).file.read()
    for number in range(20, 40):  # the file that was the last is a piece by now
        rows.append(f"{number}\n")
    rest = b"".join(piece.file.read() for piece in reading)
    rows.close()
    found = [int(line) for line in (first + rest).split() if line != b"number"]
    assert found == list(range(len(found)))
    assert len(found) >= 20
