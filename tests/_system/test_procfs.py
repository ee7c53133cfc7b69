"""Reading the kernel's files, and how much its counters grew."""

from __future__ import annotations

import os
import sys

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_twin._system import procfs
from pytest_twin._system.procfs import ProcFile, number, read_bytes
from pytest_twin.telemetry.counters import CounterDelta

SEQ_FILE = 4096  # the kernel hands out lists record by record, about a page a read (fs/seq_file.c)


@pytest.mark.skipif(sys.platform == "win32", reason="os.pread")
def test_a_file_is_read_again_from_its_start(write, kernel):
    write("stat", "one\n")
    stat = ProcFile(f"{kernel}/stat")
    assert stat.read() == b"one\n"
    write("stat", "two\n")
    assert stat.read() == b"two\n"
    stat.close()


def test_a_file_that_is_missing_is_empty(kernel):
    assert ProcFile(f"{kernel}/missing").read() == b""
    assert read_bytes(f"{kernel}/missing") == b""


def test_a_file_that_cannot_be_read_is_empty(kernel):
    folder = ProcFile(kernel)
    assert folder.read() == b""
    assert read_bytes(kernel) == b""
    folder.close()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_a_file_that_the_kernel_hands_out_in_parts_is_read_whole(write, kernel, monkeypatch):
    whole = os.pread
    monkeypatch.setattr(procfs, "pread", lambda fd, size, at: whole(fd, min(size, SEQ_FILE), at))
    write("cpuinfo", "line\n" * 2000)
    kept = ProcFile(f"{kernel}/cpuinfo")
    lengths = len(kept.read()), len(read_bytes(f"{kernel}/cpuinfo"))
    kept.close()
    assert lengths == (10_000, 10_000)


def test_no_descriptor_is_left_of_a_file_that_was_read_once(write, kernel):
    write("cpuinfo", "line\n")
    before = psutil.Process().num_fds() if sys.platform != "win32" else 0
    assert [read_bytes(f"{kernel}/cpuinfo") for _ in range(20)]
    assert sys.platform == "win32" or psutil.Process().num_fds() == before


def test_a_closed_file_is_empty_and_can_be_closed_again(write, kernel):
    write("stat", "one\n")
    stat = ProcFile(f"{kernel}/stat")
    stat.close()
    stat.close()
    assert (stat.read(), stat.fd) == (b"", -1)


@pytest.mark.parametrize(("text", "value"), [(b"12\n", 12), (b" 7", 7), (b"", None), (b"max\n", None), (b"1 2", None)])
def test_a_number_is_read_where_there_is_one(text, value):
    assert number(text) == value


def amounts(*values: float | None) -> list[float | None]:
    """What one counter grew by, in rows a second apart."""
    growth = CounterDelta()
    return [growth.amounts((value,), float(at))[0] for at, value in enumerate(values)]


def test_growth_is_told_from_the_second_time_on():
    growth = CounterDelta()
    assert growth.amounts((100,), 1.0) == [None]
    assert growth.amounts((130,), 3.0) == [30]


def test_a_counter_that_stepped_back_has_no_growth_to_tell_and_goes_on_from_there():
    assert amounts(100, 40, 45) == [None, None, 5]


def test_a_counter_that_is_missing_has_no_growth_until_it_is_back_for_two_rows():
    assert amounts(100, None, 106, 107) == [None, None, None, 1]


def test_a_counter_that_is_missing_does_not_cost_the_others_their_growth():
    growth = CounterDelta()
    growth.amounts((1, 1), 0.0)
    assert growth.amounts((None, 3), 1.0) == [None, 2]


def test_two_readings_at_one_time_have_no_rate():
    growth = CounterDelta()
    assert [growth.shares((value,), 1.0) for value in (1.0, 2.0)] == [[None], [None]]


def test_a_share_is_never_more_than_all():
    growth = CounterDelta()
    shares = [growth.shares((value,), at)[0] for value, at in ((0.0, 0.0), (0.25, 1.0), (3.0, 2.0))]
    assert shares == [None, 25.0, 100.0]


def test_a_share_is_of_what_there_was():
    growth = CounterDelta()
    growth.shares((0,), 0.0, 400)
    assert growth.shares((200,), 1.0, 400) == [50.0]


@given(st.lists(st.none() | st.integers(0, 1 << 40)))
def test_growth_is_never_negative(values):
    assert all(growth is None or growth >= 0 for growth in amounts(*values))
