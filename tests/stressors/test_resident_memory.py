"""Memory that is really resident, counted by the kernel."""

from __future__ import annotations

import mmap
import sys

import pytest

from pytest_twin.stressors.kinds import _resident_memory
from pytest_twin.stressors.kinds._resident_memory import BLOCK, HUGE_PAGE, PAGE, ResidentMemory
from pytest_twin.stressors.system.capacity import MIB

linux = pytest.mark.skipif(sys.platform != "linux", reason="madvise(2), mincore(2)")


def filled(size: int, **options) -> ResidentMemory:
    memory = ResidentMemory(**options)
    while memory.size < size:
        memory.grow(size - memory.size)
    return memory


def counted(memory: ResidentMemory) -> int:
    memory.measure()
    return memory.resident


def lose(memory: ResidentMemory, pages: int) -> None:
    """Have the kernel take pages of the first block away, as it does when it swaps."""
    memory._blocks[0].madvise(mmap.MADV_DONTNEED, 0, pages * PAGE)


@pytest.mark.parametrize("size", [PAGE, BLOCK, BLOCK + PAGE, 3 * BLOCK - PAGE])
def test_what_it_filled_is_resident(size):
    memory = filled(size)
    assert (memory.size, memory.resident, counted(memory)) == (size, size, size)


@pytest.mark.parametrize("size", [0, PAGE, BLOCK - PAGE, BLOCK, 2 * BLOCK, 2 * BLOCK + PAGE])
def test_what_it_gave_back_is_no_longer_resident(size):
    memory = filled(2 * BLOCK + 2 * PAGE)
    memory.shrink(size)
    assert (memory.size, counted(memory)) == (size, size)


def test_it_grows_again_where_it_gave_back():
    memory = filled(BLOCK)
    memory.shrink(MIB)
    memory.grow(MIB)
    assert (memory.size, counted(memory)) == (2 * MIB, 2 * MIB)


def test_a_block_is_given_back_whole_where_the_kernel_takes_no_part_of_it(monkeypatch):
    monkeypatch.setattr(_resident_memory, "_free_end", lambda *_: False)
    memory = filled(2 * BLOCK)
    memory.shrink(BLOCK + PAGE)
    assert (memory.size, counted(memory)) == (BLOCK, BLOCK)


@linux
def test_pages_that_were_taken_away_are_missed_and_brought_back():
    memory = filled(BLOCK)
    lose(memory, 10)
    memory.touch_next(lambda: 10 * PAGE)
    assert memory.resident == BLOCK - 10 * PAGE
    assert counted(memory) == BLOCK


@linux
def test_pages_that_were_taken_away_stay_away_where_others_need_the_room():
    memory = filled(BLOCK)
    lose(memory, 10)
    memory.touch_next(lambda: 9 * PAGE)
    assert counted(memory) == BLOCK - 10 * PAGE


@linux
def test_blocks_are_touched_one_after_the_other():
    memory = filled(2 * BLOCK)
    lose(memory, 10)
    memory.touch_next(lambda: BLOCK)
    memory.touch_next(lambda: BLOCK)
    assert counted(memory) == 2 * BLOCK


@linux
def test_an_older_kernel_has_each_page_written(monkeypatch):
    monkeypatch.setattr(_resident_memory, "MADV_POPULATE_WRITE", 9999)
    assert counted(filled(BLOCK + PAGE)) == BLOCK + PAGE


def test_huge_pages_come_in_their_own_size():
    memory = filled(HUGE_PAGE, huge=True)
    assert (memory.unit, counted(memory)) == (HUGE_PAGE, HUGE_PAGE)


@pytest.mark.parametrize(
    ("setting", "has"), [("always madvise [never]", False), ("always [madvise] never", True), (None, False)]
)
def test_whether_there_are_huge_pages_is_read_from_the_kernel(monkeypatch, setting, has):
    monkeypatch.setattr(_resident_memory, "text", lambda *_: setting or "")  # as of a file that is not there
    assert _resident_memory.has_huge_pages() is has
