"""CPU of the host."""

from __future__ import annotations

import os
import sys
import time

import psutil
import pytest

from pytest_twin._system.procfs import TICKS
from pytest_twin.telemetry.probes import ProbeContext, cpu

linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc")
TWO_SOCKETS = "".join(
    f"processor\t: {number}\nphysical id\t: {socket}\ncore id\t\t: {core}\n\n"
    for number, (socket, core) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)] * 2)
)


def stat(**seconds: float) -> str:
    names = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal", "guest", "guest_nice")
    ticks = " ".join(str(round(seconds.get(name, 0) * TICKS)) for name in names)
    return f"cpu  {ticks}\ncpu0 1 2 3 4 5 6 7 8 9 10\nintr 5\n"


@pytest.fixture
def probe(write, kernel, monkeypatch):
    """A host with four CPUs."""
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    write("cpuinfo", TWO_SOCKETS)
    write("stat", stat(idle=100))
    return cpu.LinuxCpu(kernel)


@linux
def test_the_first_row_has_no_shares(probe):
    assert probe.read(0.0) == (None, 4, 4, None, None, None, None)


@linux
def test_shares_are_of_all_cpus(probe, write):
    probe.read(10.0)
    write("stat", stat(idle=104, user=1, nice=0.5, system=0.5, irq=0.25, softirq=0.25, iowait=1, steal=0.5))
    assert probe.read(12.0) == (37.5, 4, 4, 18.75, 12.5, 12.5, 6.25)


@linux
def test_the_total_comes_from_idle_time_not_from_busy_ticks(probe, write):
    probe.read(0.0)
    write("stat", stat(idle=101))  # nobody was charged for the other three seconds
    assert probe.read(1.0)[0] == 75.0


@linux
def test_iowait_that_steps_back_costs_no_more_than_its_own_cells(probe, write):
    write("stat", stat(idle=100, iowait=9))
    probe.read(0.0)
    write("stat", stat(idle=101, user=2, iowait=7))
    total, _, _, user, system, iowait, steal = probe.read(1.0)
    assert (total, user, system, iowait, steal) == (None, 50.0, 0.0, None, 0.0)
    write("stat", stat(idle=103, user=2, iowait=8))
    assert probe.read(2.0)[0] == 25.0


@linux
def test_without_its_files_nothing_is_made_up(kernel, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    assert cpu.LinuxCpu(kernel).read(0.0) == (None, 4, None, None, None, None, None)


@pytest.mark.parametrize(("cpuinfo", "cores"), [(TWO_SOCKETS, 4), ("BogoMIPS : 50.0\n", None), ("", None)])
def test_cores_are_counted_once_for_each_socket(cpuinfo, cores):
    assert cpu._cores(cpuinfo.encode()) == cores


READERS = [pytest.param(cpu.LinuxCpu, marks=linux), cpu.PortableCpu]


@pytest.mark.parametrize("reader", READERS)
def test_it_agrees_with_psutil(reader, eventually):
    probe = reader()
    assert probe.read(time.monotonic())[1:3] == (psutil.cpu_count(), psutil.cpu_count(logical=False))
    psutil.cpu_times_percent()

    def is_agreed() -> bool:  # at last: what happens between the two readings is told by one of them only
        time.sleep(0.5)
        total, _, _, user, *_ = probe.read(time.monotonic())
        oracle = psutil.cpu_times_percent()
        busy, of_users = 100 - oracle.idle - getattr(oracle, "iowait", 0), oracle.user + getattr(oracle, "nice", 0)
        return (total, user) == pytest.approx((busy, of_users), abs=20)

    eventually(is_agreed)


@pytest.mark.parametrize("reader", READERS)
def test_it_reads_one_value_a_column(reader):
    assert len(reader().read(0.0)) == len(cpu.COLUMNS)


def test_this_machine_has_a_reader():
    assert isinstance(
        cpu.probe(ProbeContext(os.getpid())), cpu.LinuxCpu if sys.platform == "linux" else cpu.PortableCpu
    )
