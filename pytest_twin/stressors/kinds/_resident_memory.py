"""Memory that is really there: populated at the speed of memory, looked after so that it stays, given back at once.

On Linux pages are populated with MADV_POPULATE_WRITE (Linux 5.14, madvise(2)), which takes them all in one call, and
counted with mincore(2), which does not count one that was swapped out. Elsewhere a byte is written to each of them,
and what was written counts. They are small pages unless huge ones are asked for: where the machine hands out huge ones
by itself (transparent huge pages), the time to fill and to free would swing tenfold with how fragmented memory is.
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
BLOCK = 16 << 20  # populated in some 10 ms: small enough that a stop is heard between two
STRIDE = 1 << 20  # touched in one go: were it all swapped out, it would be back in some 10 ms
MADV_POPULATE_WRITE = 23  # not yet a constant of the mmap module


class ResidentMemory:
    """Private memory of this process, in blocks of which the last may be filled in part.

    Attributes:
        unit: Bytes of a page; sizes are a multiple of it.
        size: Bytes filled.
    """

    def __init__(self, *, huge: bool = False) -> None:
        self.unit = HUGE_PAGE if huge else PAGE
        self.size = 0
        self._huge = huge
        self._blocks: list[mmap.mmap] = []
        self._found: list[int] = []
        self._next = 0

    @property
    def found(self) -> int:
        """Bytes that were resident when each block was last looked at."""
        return sum(self._found)

    @property
    def blocks(self) -> int:
        """How many blocks there are to look after."""
        return len(self._blocks)

    def grow(self, size: int) -> None:
        """Fill so many bytes more, but no further than to the end of a block.

        Raises:
            OSError: The kernel has none left.
        """
        filled = self.size % BLOCK
        if not filled:
            self._blocks.append(_mapped(huge=self._huge))
            self._found.append(0)
        size = min(size, BLOCK - filled)
        _populate(self._blocks[-1], filled, size)
        self.size += size
        self._found[-1] += size

    def shrink(self, size: int) -> None:
        """Give back all above that size; where the kernel takes no part of a block, a whole one is given back."""
        while self.size > size:
            first = (len(self._blocks) - 1) * BLOCK
            kept = max(0, size - first)
            if kept and _dropped(self._blocks[-1], kept):
                self._found[-1] = min(self._found[-1], kept)
            else:
                kept = 0
                self._found.pop()
                self._blocks.pop().close()
            self.size = first + kept

    def look(self) -> None:
        """Count what is resident."""
        for number in range(len(self._blocks)):
            self._look_at(number)

    def touch_next(self, spare: Callable[[], float]) -> None:
        """Count what is resident of the next block and use each page of it, which also brings back one that was gone.

        Args:
            spare: Tells how many bytes may be brought back; if the lost ones are more, the block is left as it is.
        """
        self._next = (self._next + 1) % len(self._blocks)
        lost = self._look_at(self._next)
        if not lost or lost <= spare():
            _touch(self._blocks[self._next], 0, self._used(self._next))

    def _look_at(self, number: int) -> int:
        """Bytes of a block that are not resident."""
        used = self._used(number)
        self._found[number] = _resident(self._blocks[number], used)
        return used - self._found[number]

    def _used(self, number: int) -> int:
        return min(BLOCK, self.size - number * BLOCK)


def has_huge_pages() -> bool:
    """Whether this machine hands out huge pages to whoever asks for them."""
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
            if error.errno != errno.EINVAL:  # that one is from a kernel that does not know it
                raise
        else:
            return
    _touch(block, begin, size)


def _touch(block: mmap.mmap, begin: int, size: int) -> None:
    for at in range(begin, begin + size, STRIDE):
        end = min(at + STRIDE, begin + size)
        block[at:end:PAGE] = b"\x01" * len(range(at, end, PAGE))


def _dropped(block: mmap.mmap, kept: int) -> bool:
    """Give back all of a block but its beginning, where that can be done."""
    if sys.platform != "linux":
        return False
    block.madvise(mmap.MADV_DONTNEED, kept, BLOCK - kept)
    return True


def _resident(block: mmap.mmap, size: int) -> int:
    """Bytes at the beginning of a block that are resident; all of them where nobody tells."""
    if sys.platform == "linux":
        pages = ctypes.create_string_buffer(-(-size // PAGE))
        address = ctypes.addressof(ctypes.c_char.from_buffer(block))
        if _libc.mincore(address, size, pages) == 0:
            return pages.raw.count(b"\x01") * PAGE
    return size
