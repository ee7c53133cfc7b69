"""Reading the kernel's files, and how much its counters grew."""

from __future__ import annotations

import os
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_twin.probes.kernel import Delta, KeptOpen, read_bytes

SEQ_FILE = 4096  # the kernel hands out lists record by record, about a page a read (fs/seq_file.c)


@pytest.mark.skipif(sys.platform == "win32", reason="os.pread")
def test_a_file_is_read_again_from_its_start(write, kernel):
    write("stat", "one\n")
    stat = KeptOpen(f"{kernel}/stat")
    assert stat.read() == b"one\n"
    write("stat", "two\n")
    assert stat.read() == b"two\n"
    os.close(stat._fd)


def test_a_file_that_is_missing_is_empty(kernel):
    assert KeptOpen(f"{kernel}/missing").read() == b""
    assert read_bytes(f"{kernel}/missing") == b""


def test_a_file_that_cannot_be_read_is_empty(kernel):
    folder = KeptOpen(kernel)
    assert folder.read() == b""
    assert read_bytes(kernel) == b""
    os.close(folder._fd)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_a_file_that_the_kernel_hands_out_in_parts_is_read_whole(write, kernel, monkeypatch):
    whole = os.pread
    monkeypatch.setattr(os, "pread", lambda fd, size, at: whole(fd, min(size, SEQ_FILE), at))
    write("cpuinfo", "line\n" * 2000)
    kept = KeptOpen(f"{kernel}/cpuinfo")
    lengths = len(kept.read()), len(read_bytes(f"{kernel}/cpuinfo"))
    os.close(kept._fd)
    assert lengths == (10_000, 10_000)


def test_growth_is_told_from_the_second_time_on():
    delta = Delta()
    assert delta.since("a", 100, 1.0) is None
    assert delta.since("a", 130, 3.0) == (30, 2.0)


def test_a_counter_that_stepped_back_has_no_growth_to_tell_and_goes_on_from_there():
    delta = Delta()
    assert [delta.growth("a", value, at) for at, value in enumerate((100, 40, 45))] == [None, None, 5]


def test_a_counter_that_is_missing_for_a_while_tells_of_the_whole_time_after():
    delta = Delta()
    assert [delta.since("a", value, at) for at, value in enumerate((100, None, 106))] == [None, None, (6, 2)]


def test_two_readings_at_one_time_have_no_rate():
    delta = Delta()
    assert [delta.share("a", value, 1.0) for value in (1.0, 2.0)] == [None, None]


def test_a_share_is_never_more_than_all():
    delta = Delta()
    assert [delta.share("a", value, at) for value, at in ((0.0, 0.0), (0.25, 1.0), (3.0, 2.0))] == [None, 25.0, 100.0]


@given(st.lists(st.none() | st.integers(0, 1 << 40)))
def test_growth_is_never_negative(values):
    delta = Delta()
    found = [delta.growth("a", value, at) for at, value in enumerate(values)]
    assert all(growth is None or growth >= 0 for growth in found)
