"""Memory and swap."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import psutil
import pytest

from pytest_twin._system.procfs import GIB
from pytest_twin.telemetry.probes import memory

linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc")
MEMINFO = """MemTotal:       16777216 kB
MemFree:          100000 kB
MemAvailable:    4194304 kB
SwapCached:            1 kB
SwapTotal:       {swap} kB
SwapFree:         786432 kB
HugePages_Total:       0
"""


@linux
def test_figures_are_read_exactly(write, kernel):
    write("meminfo", MEMINFO.format(swap=1048576))
    assert memory.LinuxMemory(kernel).read(0.0) == (16.0, 75.0, 4.0, 25.0)


@linux
def test_a_host_without_swap_has_no_share_of_it(write, kernel):
    write("meminfo", MEMINFO.format(swap=0))
    assert memory.LinuxMemory(kernel).read(0.0) == (16.0, 75.0, 4.0, None)


@linux
@pytest.mark.parametrize(
    ("text", "row"),
    [("", (None,) * 4), ("MemTotal: 1048576 kB\n", (None,) * 4), ("MemTotal:\n", (None,) * 4)],
)
def test_what_is_not_told_is_empty(write, kernel, text, row):
    write("meminfo", text)
    assert memory.LinuxMemory(kernel).read(0.0) == row


def test_without_its_file_nothing_is_made_up(kernel):
    assert memory.LinuxMemory(kernel).read(0.0) == (None, None, None, None)


@pytest.mark.parametrize("reader", [pytest.param(memory.LinuxMemory, marks=linux), memory.PortableMemory])
def test_it_agrees_with_psutil(reader, eventually):
    probe = reader()
    assert probe.read(0.0)[0] == pytest.approx(psutil.virtual_memory().total / GIB, rel=0.001)

    def is_agreed() -> bool:  # at last: others take memory between the two readings
        _, used, available, _ = probe.read(0.0)
        oracle = psutil.virtual_memory()
        return used == pytest.approx(oracle.percent, abs=10) and available == pytest.approx(
            oracle.available / GIB, rel=0.2
        )

    eventually(is_agreed)


def test_elsewhere_too_a_host_without_swap_has_no_share_of_it(monkeypatch):
    monkeypatch.setattr(psutil, "swap_memory", lambda: SimpleNamespace(total=0, percent=0.0))
    assert memory.PortableMemory().read(0.0)[3] is None
