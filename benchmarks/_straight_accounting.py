"""A pytest plugin for the benchmarks: the figures of a test in the least Python that fills the same rows.

It reads the same counters, writes the same cells and hands the same properties to pytest as a recorded test has, in one
straight line: without loads, budgets, constraints, children, other platforms, attempts, events for other plugins, and
without care for tests that close descriptors or replace functions.
"""

from __future__ import annotations

import os
import resource
import tempfile
import time
from collections.abc import Generator
from functools import partial
from typing import Any

import pytest

MIB, PAGE = 1 << 20, os.sysconf("SC_PAGE_SIZE")
read_self = partial(resource.getrusage, resource.RUSAGE_SELF)
read_children = partial(resource.getrusage, resource.RUSAGE_CHILDREN)
ROW = (
    "%s,1,,,%s,%s,%.4f,%.6f,%.6f,%.6f,%.6f,%.6f,%.6f,%.6f,%.3f,,%.3f,%.3f,%.0f,%.0f,,,,,%.3f,%.3f,%.3f,,,"
    "%.6f,%.6f,%.6f\n"
)
Hook = Generator[None, Any, Any]


class StraightAccounting:
    """The hooks of the plugin."""

    def __init__(self) -> None:
        self._began, self._epoch = time.monotonic(), time.time()
        self._events, self._tests = (tempfile.TemporaryFile("ab", buffering=0) for _ in range(2))  # noqa: SIM115 - until pytest ends
        self._clear_refs = os.open("/proc/self/clear_refs", os.O_WRONLY)
        self._statm, self._newest = (
            os.open(each, os.O_RDONLY) for each in ("/proc/self/statm", "/proc/sys/kernel/ns_last_pid")
        )
        self._number, self._outcome = 0, ""
        self._minute = (-1, "")
        self._row: tuple[object, ...] = ()

    def _stamp(self, elapsed: float) -> str:
        minute, milli = divmod(round((self._epoch + elapsed) * 1000), 60_000)
        if minute != self._minute[0]:
            self._minute = minute, time.strftime("%Y-%m-%dT%H:%M:", time.gmtime(60 * minute))
        return f"{self._minute[1]}{milli / 1000:06.3f}Z"

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Hook:
        """Write the start, reset the peak of memory, and read the counters around the phase."""
        self._number += 1
        self._start = start = time.monotonic()
        self._test, self._elapsed = item.nodeid, start - self._began
        self._start_stamp = stamp = self._stamp(self._elapsed)
        os.write(self._clear_refs, b"5")
        self._before = int(os.pread(self._statm, 448, 0).split(None, 2)[1]) * PAGE
        line = f"{stamp},{self._elapsed:.4f},start,t{self._number},test,{self._test},,,,,\n"
        os.write(self._events.fileno(), line.encode())
        self._set_up = time.monotonic(), read_self()
        result = yield
        self._set_up_end = time.monotonic(), read_self()
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self) -> Hook:
        """Read the counters around the phase."""
        self._call = time.monotonic(), read_self()
        result = yield
        self._call_end = time.monotonic(), read_self()
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Hook:
        """Read the counters around the phase, and compute the figures."""
        down_s, down = time.monotonic(), read_self()
        result = yield
        down_end_s, down_end = time.monotonic(), read_self()
        read_children()
        os.pread(self._newest, 448, 0)
        before, after = self._before, int(os.pread(self._statm, 448, 0).split(None, 2)[1]) * PAGE
        (up_s, up), (up_end_s, up_end) = self._set_up, self._set_up_end
        (call_s, call), (call_end_s, call_end) = self._call, self._call_end
        user = up_end[0] - up[0] + call_end[0] - call[0] + down_end[0] - down[0]
        system = up_end[1] - up[1] + call_end[1] - call[1] + down_end[1] - down[1]
        peak = max(down_end[2] * 1024, before, after)
        grown, kept = (peak - before) / MIB, (after - before) / MIB
        item.user_properties += [
            ("twin_cpu_s", round(user + system, 6)),
            ("twin_children_cpu_s", 0.0),
            ("twin_peak_memory_MB", round(peak / MIB, 6)),
            ("twin_memory_growth_MB", round(grown, 6)),
            ("twin_memory_kept_MB", round(kept, 6)),
        ]
        self._end = time.monotonic()
        walls = up_end_s - up_s, call_end_s - call_s, down_end_s - down_s
        disk = (down_end[9] - up[9]) / 2048, (down_end[10] - up[10]) / 2048
        counts = down_end[14] - up[14] + down_end[15] - up[15], down_end[7] - up[7]
        starts = up_s - self._start, call_s - self._start, down_s - self._start
        self._row = (
            *(self._elapsed, self._end - self._start, *walls, user, system, 0.0, peak / MIB, *disk, *counts),
            *(before / MIB, grown, kept, *starts),
        )
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> Hook:
        """After the teardown, write the row and the end."""
        report = yield
        if call.when == "call":
            self._outcome = report.outcome
        if call.when == "teardown":
            row = ROW % (self._test, self._outcome, self._start_stamp, *self._row)
            os.write(self._tests.fileno(), row.encode())
            elapsed = self._end - self._began
            line = f"{self._stamp(elapsed)},{elapsed:.4f},end,t{self._number},test,{self._test},,,,,{self._outcome}\n"
            os.write(self._events.fileno(), line.encode())
        return report


def pytest_configure(config: pytest.Config) -> None:
    """Register the hooks."""
    config.pluginmanager.register(StraightAccounting())
