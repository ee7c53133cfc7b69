"""Descriptors that a test may close, and whose numbers it may use again."""

from __future__ import annotations

import os
from itertools import permutations

import pytest

from pytest_twin._system import descriptor
from pytest_twin._system.descriptor import Descriptor


@pytest.fixture(params=["marks", "no marks"])
def opener(request, tmp_path, monkeypatch):
    """Returns a new descriptor of a file by its name; with marks of open files, and as on systems without."""
    if request.param == "no marks":
        monkeypatch.setattr(descriptor, "_set_mark", lambda *_: False)
    made = []

    def make(name):
        made.append(Descriptor(lambda: os.open(tmp_path / name, os.O_RDWR | os.O_CREAT), lambda: lost.append(name)))
        return made[-1]

    lost = make.lost = []
    yield make
    for each in made:
        each.close()


def name_of(fd):
    return os.path.basename(os.readlink(f"/proc/self/fd/{fd}"))


needs_proc = pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="the system has no /proc/self/fd")


def test_an_open_descriptor_keeps_its_number(opener):
    ours = opener("a")
    assert ours.get() == ours.get() == ours.fd
    assert opener.lost == []


@needs_proc
def test_a_closed_descriptor_is_opened_again(opener):
    ours = opener("a")
    os.close(ours.fd)
    assert name_of(ours.get()) == "a"
    assert opener.lost == ["a"]


@needs_proc
def test_another_file_with_the_number_is_left_alone(opener, tmp_path):
    ours = opener("a")
    number = ours.fd
    other = os.open(tmp_path / "other", os.O_RDWR | os.O_CREAT)
    os.dup2(other, number)
    os.close(other)
    try:
        assert name_of(ours.get()) == "a"
        assert name_of(number) == "other"
    finally:
        os.close(number)


@needs_proc
@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_descriptors_that_get_the_numbers_of_each_other_are_told_apart(opener, order):
    ours = [opener(name) for name in "abc"]
    for each in ours:
        os.close(each.fd)
    for at in order:
        ours[at].get()
    assert [name_of(each.get()) for each in ours] == list("abc")


@needs_proc
def test_more_descriptors_than_marks_are_told_apart(opener):
    ours = [opener(f"file{number}") for number in range(70)]
    for each in ours:
        os.close(each.fd)
    for each in reversed(ours):
        each.get()
    assert [name_of(each.get()) for each in ours] == [f"file{number}" for number in range(70)]
