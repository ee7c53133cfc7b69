"""A plugin for the benchmarks: the least that exact figures of a test can take, and nothing else.

It makes the calls of the kernel that such figures need, at the borders of the phases, and writes a line of the usual
length where pytest-twin writes a row; nothing is worked out, and no line says anything.
"""

from __future__ import annotations

import os
import resource
import tempfile
import time
from collections.abc import Iterator

import pytest

ROW = b"x" * 150 + b"\n"
table = tempfile.TemporaryFile("ab", buffering=0)  # noqa: SIM115 - until pytest ends
rows = table.fileno()
forget_peak = os.open("/proc/self/clear_refs", os.O_WRONLY)
status = os.open("/proc/self/status", os.O_RDONLY)


def border() -> None:
    """Read the clock and the counters of this process."""
    time.monotonic()
    resource.getrusage(resource.RUSAGE_SELF)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup() -> Iterator[None]:
    """A start is written, and the high-water mark of memory is reset."""
    os.write(rows, ROW)
    os.write(forget_peak, b"5")
    resource.getrusage(resource.RUSAGE_CHILDREN)
    border()
    yield
    border()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call() -> Iterator[None]:
    """Two borders."""
    border()
    yield
    border()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown() -> Iterator[None]:
    """Two borders, then the high-water mark; a row and an end are written."""
    border()
    yield
    border()
    resource.getrusage(resource.RUSAGE_CHILDREN)
    os.pread(status, 1 << 14, 0)
    os.write(rows, ROW)
    os.write(rows, ROW)
