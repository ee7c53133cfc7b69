"""Numbers that the supervisor tells its workers while they work: a page of memory that its forks inherit."""

from __future__ import annotations

import mmap
import struct

SIZE = struct.calcsize("d")
COUNT = mmap.PAGESIZE // SIZE

_page = mmap.mmap(-1, mmap.PAGESIZE)  # shared with the forks of this process


def write(number: int, value: float) -> None:
    """Set one of the `COUNT` numbers; only one process does so."""
    struct.pack_into("d", _page, number * SIZE, value)


def read(number: int) -> float:
    """Return one of the numbers, in the process that sets it or in a fork of it."""
    value: float = struct.unpack_from("d", _page, number * SIZE)[0]
    return value
