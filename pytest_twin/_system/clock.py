"""The monotonic clock of the operating system, also where a test replaces the one of Python."""

from __future__ import annotations

from pytest_twin._system.stdlib import time


def monotonic() -> float:
    """`time.monotonic`, also while a test has put another clock in its place, as freezegun and the like do."""
    return time.monotonic()
