"""Reading the kernel's files cheaply: opened once, read again from the start."""

from __future__ import annotations

import os
import sys

LINUX = sys.platform == "linux"
PROC = "/proc"
if sys.platform != "win32":
    TICKS = os.sysconf("SC_CLK_TCK")
    PAGE = os.sysconf("SC_PAGE_SIZE")
else:
    TICKS, PAGE = 100, 4096
MIB = 1 << 20
GIB = 1 << 30


class KeptOpen:
    """A file of /proc or /sys; where there is none, its text is empty."""

    def __init__(self, path: str) -> None:
        try:
            self._fd = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        except OSError:
            self._fd = -1

    def read(self) -> bytes:
        """What stands there now, however many pieces the kernel hands it out in."""
        if self._fd < 0 or sys.platform == "win32":
            return b""
        text = b""
        try:
            while part := os.pread(self._fd, 1 << 16, len(text)):
                text += part
        except OSError:
            return b""
        return text


def read_bytes(path: str) -> bytes:
    """A file that is read once, or whose process may be gone; empty where it cannot be read."""
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read()
    except OSError:
        return b""


class Delta:
    """How much counters grew since the last row; a counter that stepped back, or is new, has no growth to tell."""

    def __init__(self) -> None:
        self._before: dict[str, tuple[float, float]] = {}

    def since(self, name: str, value: float | None, at: float) -> tuple[float, float] | None:
        """The growth and the seconds in which it grew."""
        before = self._before.get(name)
        if value is None:
            return None
        self._before[name] = value, at
        if before is None or value < before[0] or at <= before[1]:
            return None
        return value - before[0], at - before[1]

    def growth(self, name: str, value: float | None, at: float) -> float | None:
        """The growth alone."""
        found = self.since(name, value, at)
        return None if found is None else found[0]

    def share(self, name: str, value: float | None, at: float) -> float | None:
        """The growth of a counter of seconds, as per cent of the time in which it grew."""
        found = self.since(name, value, at)
        return None if found is None else min(100.0, 100 * found[0] / found[1])
