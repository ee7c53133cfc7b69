"""A pytest plugin for the benchmarks: the minimal work for exact figures of a test.

It makes the necessary system calls before and after each phase, and writes a constant line of the usual length for each
row of pytest-twin; it computes nothing.
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
    """Write the start event, and reset the peak of the resident memory."""
    os.write(rows, ROW)
    os.write(forget_peak, b"5")
    resource.getrusage(resource.RUSAGE_CHILDREN)
    border()
    yield
    border()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call() -> Iterator[None]:
    """Read the counters before and after the phase."""
    border()
    yield
    border()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown() -> Iterator[None]:
    """Read the counters before and after the phase, then the memory peak; write a row and the end event."""
    border()
    yield
    border()
    resource.getrusage(resource.RUSAGE_CHILDREN)
    os.pread(status, 1 << 14, 0)
    os.write(rows, ROW)
    os.write(rows, ROW)
