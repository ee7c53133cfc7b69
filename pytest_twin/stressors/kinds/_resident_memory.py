"""Resident memory: populated at the speed of the memory, touched so that it stays resident, freed at once.

On Linux pages are populated with MADV_POPULATE_WRITE (Linux 5.14, madvise(2)), many in one call, and counted with
mincore(2), which does not count a page that was swapped out. Elsewhere a byte is written to each page, and the written
pages count. Pages are small unless huge ones are requested: with transparent huge pages, the time to populate and free
memory would vary tenfold with its fragmentation.
"""

from __future__ import annotations

import errno
import mmap
import sys
from contextlib import suppress

from pytest_twin.stressors.system.capacity import text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

if sys.platform == "linux":
    import ctypes

    _libc = ctypes.CDLL(None)
    _libc.mincore.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p)

PAGE = mmap.PAGESIZE
HUGE_PAGE = 2 << 20  # of x86-64, and of arm64 with pages of 4 KiB
BLOCK = 16 << 20  # populated in some 10 ms: small enough not to delay a stop
STRIDE = 1 << 20  # touched at once: if all of it was swapped out, it is back in some 10 ms
MADV_POPULATE_WRITE = 23  # not yet a constant of the mmap module


class ResidentMemory:
    """Private memory of this process, in blocks, the last of which may be populated in part.

    Attributes:
        unit: The size of a page; sizes are a multiple of it.
        size: The populated bytes.
    """

    def __init__(self, *, huge: bool = False) -> None:
        self.unit = HUGE_PAGE if huge else PAGE
        self.size = 0
        self._huge = huge
        self._blocks: list[mmap.mmap] = []
        self._resident: list[int] = []
        self._next = 0

    @property
    def resident(self) -> int:
        """The bytes that were resident when each block was last measured."""
        return sum(self._resident)

    @property
    def blocks(self) -> int:
        """The number of blocks."""
        return len(self._blocks)

    def grow(self, size: int) -> None:
        """Populate more bytes, at most up to the end of a block.

        Raises:
            OSError: The kernel has no more memory.
        """
        populated = self.size % BLOCK
        if not populated:
            self._blocks.append(_mapped(huge=self._huge))
            self._resident.append(0)
        size = min(size, BLOCK - populated)
        _populate(self._blocks[-1], populated, size)
        self.size += size
        self._resident[-1] += size

    def shrink(self, size: int) -> None:
        """Free all memory above a size; where a part of a block cannot be freed, the whole block is."""
        while self.size > size:
            first = (len(self._blocks) - 1) * BLOCK
            kept = max(0, size - first)
            if kept and _free_end(self._blocks[-1], kept):
                self._resident[-1] = min(self._resident[-1], kept)
            else:
                kept = 0
                self._resident.pop()
                self._blocks.pop().close()
            self.size = first + kept

    def measure(self) -> None:
        """Count the resident bytes."""
        for number in range(len(self._blocks)):
            self._measure_block(number)

    def touch_next(self, spare: Callable[[], float]) -> None:
        """Count the resident bytes of the next block and touch its pages, which also makes those resident that are not.

        Args:
            spare: Returns how many bytes may be made resident; if more are missing, the block is not touched.
        """
        self._next = (self._next + 1) % len(self._blocks)
        missing = self._measure_block(self._next)
        if not missing or missing <= spare():
            _touch(self._blocks[self._next], 0, self._used(self._next))

    def _measure_block(self, number: int) -> int:
        """Measure a block and return its bytes that are not resident."""
        used = self._used(number)
        self._resident[number] = _count_resident(self._blocks[number], used)
        return used - self._resident[number]

    def _used(self, number: int) -> int:
        return min(BLOCK, self.size - number * BLOCK)


def has_huge_pages() -> bool:
    """Return whether the kernel gives huge pages to processes that request them."""
    modes = text("/sys/kernel/mm/transparent_hugepage", "enabled")
    return bool(modes) and "[never]" not in modes


def _mapped(*, huge: bool) -> mmap.mmap:
    if sys.platform == "win32":
        return mmap.mmap(-1, BLOCK)
    block = mmap.mmap(-1, BLOCK, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if sys.platform == "linux":
        with suppress(OSError):  # a kernel without huge pages
            block.madvise(mmap.MADV_HUGEPAGE if huge else mmap.MADV_NOHUGEPAGE)
    return block


def _populate(block: mmap.mmap, begin: int, size: int) -> None:
    if sys.platform == "linux":
        try:
            block.madvise(MADV_POPULATE_WRITE, begin, size)
        except OSError as error:
            if error.errno != errno.EINVAL:  # EINVAL is from a kernel without it
                raise
        else:
            return
    _touch(block, begin, size)


def _touch(block: mmap.mmap, begin: int, size: int) -> None:
    for at in range(begin, begin + size, STRIDE):
        end = min(at + STRIDE, begin + size)
        block[at:end:PAGE] = b"\x01" * len(range(at, end, PAGE))


def _free_end(block: mmap.mmap, kept: int) -> bool:
    """Free a block except its beginning; return False where that is not possible."""
    if sys.platform != "linux":
        return False
    block.madvise(mmap.MADV_DONTNEED, kept, BLOCK - kept)
    return True


def _count_resident(block: mmap.mmap, size: int) -> int:
    """Return the resident bytes at the beginning of a block; all of them where they cannot be counted."""
    if sys.platform == "linux":
        pages = ctypes.create_string_buffer(-(-size // PAGE))
        address = ctypes.addressof(ctypes.c_char.from_buffer(block))
        if _libc.mincore(address, size, pages) == 0:
            return pages.raw.count(b"\x01") * PAGE
    return size
