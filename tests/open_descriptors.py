"""The descriptors that this process has open, where Linux tells of them."""

from __future__ import annotations

import os
from contextlib import suppress


def open_descriptors() -> set[tuple[str, str]]:
    """Each with what it leads to.

    What was opened in between is the difference of two such sets. Their sizes would not do: what earlier tests left to
    the garbage collector is closed whenever that comes.
    """
    found = set()
    for number in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # that of the listing itself
            found.add((number, os.readlink(f"/proc/self/fd/{number}")))
    return found
