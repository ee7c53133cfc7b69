"""Where the processes of a tree are read from: the kernel's files, here made up."""

from __future__ import annotations

import shutil
import sys
from types import SimpleNamespace

import psutil
import pytest

from pytest_twin._system import stdlib
from pytest_twin._system.procfs import PAGE, TICKS
from pytest_twin.stressors import PROCESS_NAME
from pytest_twin.telemetry.process_tree_linux import LinuxTree, LinuxTreeByParent, parse_io

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc")
PID = 5_000_000  # more than the kernel gives out, so that there is no clock of it
CPU_S = (1.0, 0.5, 0.25, 0.25)
IO = "rchar: 9\nwchar: 9\nsyscr: 9\nsyscw: 9\nread_bytes: {}\nwrite_bytes: {}\ncancelled_write_bytes: 9\n"


def stat(name: str = "python", *, state: str = "S", parent: int = 1, threads: int = 1, pages: int = 10) -> str:
    ticks = " ".join(str(round(seconds * TICKS)) for seconds in CPU_S)
    return f"7 ({name}) {state} {parent} 7 7 0 -1 4194560 100 0 0 0 {ticks} 20 0 {threads} 0 1 2 {pages} 184467 1\n"


@pytest.fixture
def source(kernel):
    source = LinuxTree(kernel)
    yield source
    source.close()


@pytest.mark.parametrize("name", ["python", "a) R 1 (b", "two words", "", PROCESS_NAME])
def test_a_process_is_read_exactly_whatever_its_name(write, source, name):
    write(f"{PID}/stat", stat(name, threads=4))
    write(f"{PID}/io", IO.format(4096, 8192))
    for descriptor in "012":
        write(f"{PID}/fd/{descriptor}", "")
    process = source.read(PID)
    assert (process.now, process.supervises) == ((2.0, 10 * PAGE, 4), name == PROCESS_NAME)
    files, *io = process.details
    assert files > 0
    assert io == [4096, 8192]


@pytest.mark.parametrize("text", ["", "7 (python) S 1 2 3", "no such thing"])
def test_a_process_that_is_going_is_gone(write, source, text):
    write("7/stat", text)
    assert source.read(7) is None


@pytest.mark.parametrize("text", ["", "rchar: 1\n", IO.format(1, 2).replace("read_bytes", "read")])
def test_io_that_is_not_told_is_none(text):
    assert parse_io(text.encode()) == (None, None)


def test_a_process_that_may_not_be_asked_is_there_without_files_and_io(write, source):
    write("7/stat", stat())
    assert source.read(7).details == (None, None, None)


def test_one_that_waits_to_be_reaped_has_no_files_and_owes_no_io(write, source):
    """Its files in /proc are root's by then, and its parent is told of its I/O when it reaps it."""
    write("7/stat", stat(state="Z"))
    assert source.read(7).details == (0, 0, 0)


def test_one_that_is_reaped_while_it_is_read_is_gone(write, source, monkeypatch):
    write("7/stat", stat())
    write("7/fd/0", "")

    def fstat(_fd: int) -> None:
        write("7/stat", "")
        raise FileNotFoundError

    with monkeypatch.context() as patch:  # pytest needs it too
        patch.setattr(stdlib.os, "fstat", fstat)
        assert source.read(7) is None


def test_files_are_counted_by_the_size_of_the_folder(write, source, monkeypatch):
    write("7/stat", stat())
    write("7/fd/0", "")
    with monkeypatch.context() as patch:
        patch.setattr(stdlib.os, "fstat", lambda _: SimpleNamespace(st_size=321))
        assert source.read(7).details[0] == 321


def test_where_the_folder_has_no_size_its_files_are_listed(write, source, monkeypatch):
    write("7/stat", stat())
    write("7/fd/0", "")
    with monkeypatch.context() as patch:
        patch.setattr(stdlib.os, "fstat", lambda _: SimpleNamespace(st_size=0))
        assert source.read(7).details[0] == 1


def test_details_are_as_they_were_until_they_are_asked_for(write, source):
    found = []
    for row, detailed in enumerate((True, False, True)):
        write("7/stat", stat(pages=row))
        write("7/io", IO.format(row, row))
        source.refresh(detailed)
        process = source.read(7)
        found.append((process.now[1] // PAGE, process.details[1]))
    assert found == [(0, 0), (1, 0), (2, 2)]


def test_a_number_that_is_given_out_again_is_another_process(write, source, tmp_path):
    write("7/stat", stat(pages=10))
    assert source.read(7).now[1] == 10 * PAGE
    source.refresh()
    write("7/stat", "")  # which is how a kept file of a process that is gone reads
    shutil.rmtree(tmp_path / "7")
    write("7/stat", stat(pages=20))
    assert source.read(7).now[1] == 20 * PAGE


def test_a_kept_file_is_not_opened_again(write, source, tmp_path, monkeypatch):
    write("7/stat", stat())
    source.read(7)
    source.refresh()
    monkeypatch.setattr(stdlib.os, "open", lambda path, *_: pytest.fail(f"{path} was opened"))
    assert source.read(7)


def test_the_children_of_all_threads_are_found(write, source):
    write("7/stat", stat(threads=3))
    write("7/task/7/children", "8 9 ")
    write("7/task/70/children", "")
    write("7/task/71/children", "10 ")
    assert sorted(source.read(7).children()) == [8, 9, 10]


def test_threads_come_and_go_with_the_children_below_them(write, source, tmp_path):
    def children(threads: int) -> list[int]:
        write("7/stat", stat(threads=threads))
        source.refresh()
        return sorted(source.read(7).children())

    write("7/task/7/children", "8 ")
    found = [children(1)]
    write("7/task/70/children", "9 ")
    found.append(children(2))
    shutil.rmtree(tmp_path / "7/task/70")
    write("7/task/7/children", "8 9 ")  # orphans of a thread go to another one of the process
    found.append(children(1))
    assert found == [[8], [8, 9], [8, 9]]


@pytest.fixture
def count_open(tmp_path):
    """Counts the open files of the made-up kernel; earlier tests may have left others, which are collected later."""
    return lambda: sum(each.path.startswith(str(tmp_path)) for each in psutil.Process().open_files())


def test_a_tree_that_has_gone_leaves_no_descriptor_open(write, source, count_open):
    before = count_open()
    for pid in range(1000, 1200):
        write(f"{pid}/stat", stat())
        write(f"{pid}/io", IO.format(0, 0))
        write(f"{pid}/task/{pid}/children", "")
        source.read(pid).children()
    assert count_open() == before + 200 * 3
    source.refresh()
    source.refresh()
    assert count_open() == before


def test_a_process_that_is_found_twice_is_read_once_for_a_row(write, source, count_open):
    write("7/stat", stat())
    once = source.read(7)
    before = count_open()
    assert source.read(7) is once
    source.refresh()
    assert source.read(7) is once
    assert count_open() == before


def test_without_files_of_children_every_process_is_asked_for_its_parent(write, kernel):
    for pid, parent in ((7, 1), (8, 7), (9, 8), (10, 7)):
        write(f"{pid}/stat", stat("a) S 99 (b", parent=parent))
    write("11/stat", "")
    write("self/stat", stat(parent=7))
    source = LinuxTreeByParent(kernel)
    source.refresh()
    assert [sorted(source.read(pid).children()) for pid in (7, 8, 9)] == [[8, 10], [9], []]
    source.close()
