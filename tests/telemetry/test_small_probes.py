"""Pressure, load average, process count and battery."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import psutil
import pytest

from pytest_twin.telemetry.counters import ONLY_ONCE
from pytest_twin.telemetry.probes import battery, load, pressure, processes

linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc")
PSI = "some avg10=1.00 avg60=2.00 avg300=3.00 total={some}\nfull avg10=0.00 avg60=0.00 avg300=0.00 total={full}\n"


@linux
def test_pressure_is_from_the_kernels_totals(write, kernel):
    for name in ("cpu", "memory", "io"):
        write(f"pressure/{name}", PSI.format(some=0, full=0))
    probe = pressure.Pressure(kernel)
    assert list(probe.read(0.0)) == [None] * 5
    write("pressure/cpu", PSI.format(some=500_000, full=0))
    write("pressure/memory", PSI.format(some=200_000, full=100_000))
    write("pressure/io", PSI.format(some=2_000_000, full=1_000_000))
    assert list(probe.read(2.0)) == [25.0, 10.0, 5.0, 100.0, 50.0]


@linux
def test_a_line_that_is_missing_is_empty(write, kernel):
    write("pressure/memory", "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n")
    probe = pressure.Pressure(kernel)
    probe.read(0.0)
    assert list(probe.read(1.0)) == [None, 0.0, None, None, None]


def test_where_there_is_no_pressure_nothing_is_made_up(kernel):
    probe = pressure.Pressure(kernel)
    assert [list(probe.read(at)) for at in (0.0, 1.0)] == [[None] * 5] * 2


def test_the_load_average_is_the_c_librarys(monkeypatch):
    monkeypatch.setattr(os, "getloadavg", lambda: (1.0, 2.0, 3.0), raising=False)
    assert load.LoadAverage().read(0.0) == (1.0, 2.0, 3.0)


def test_where_there_is_no_load_average_it_is_empty(monkeypatch):
    monkeypatch.delattr(os, "getloadavg", raising=False)
    assert load.LoadAverage().read(0.0) == (None, None, None)


NUMBERED = ("1", "42", "4194304")


@pytest.fixture
def proc(tmp_path, monkeypatch):
    """A made-up /proc with three processes, seen from a PID namespace of that number."""

    def proc(namespace: int | None, *, links: int = 60) -> str:
        whole = os.stat
        told = {str(tmp_path): SimpleNamespace(st_nlink=links)}
        if namespace is not None:
            told[f"{tmp_path}/self/ns/pid"] = SimpleNamespace(st_ino=namespace)
        for name in (*NUMBERED, "self", "sys", "12a"):
            (tmp_path / name).mkdir()
        monkeypatch.setattr(os, "stat", lambda path, **how: told[path] if path in told else whole(path, **how))
        return str(tmp_path)

    return proc


def test_processes_are_counted_by_the_links_of_the_folder(proc, monkeypatch):
    probe = processes.LinuxProcessCount(folder := proc(processes.FIRST_NAMESPACE, links=60))
    assert probe.read(0.0) == (3,)
    monkeypatch.setattr(os, "stat", lambda _: SimpleNamespace(st_nlink=67))
    monkeypatch.setattr(os, "listdir", lambda _: pytest.fail(f"{folder} was listed"))
    assert probe.read(0.1) == (10,)


@pytest.mark.parametrize("namespace", [processes.FIRST_NAMESPACE - 1, None])
def test_in_a_pid_namespace_processes_are_the_numbered_folders(proc, namespace):
    assert processes.LinuxProcessCount(proc(namespace)).read(0.0) == (3,)


def test_where_the_links_tell_of_no_processes_folders_are_counted(proc):
    assert processes.LinuxProcessCount(proc(processes.FIRST_NAMESPACE, links=2)).read(0.0) == (3,)


@linux
def test_the_links_of_proc_agree_with_the_folders_in_it(eventually):
    probe = processes.LinuxProcessCount()
    if probe._other_links is None:
        pytest.skip("this is not the first PID namespace")
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE):
        eventually(lambda: probe.read(0.0)[0] == pytest.approx(probe._count(), abs=10))  # others start processes too


IN_A_NAMESPACE = """
from pytest_twin.telemetry.probes import processes
probe = processes.LinuxProcessCount()
print(probe._other_links, *probe.read(0.0))
"""


@linux
def test_in_a_real_pid_namespace_only_its_own_processes_are_counted():
    unshare = shutil.which("unshare")
    command = [unshare or "", "--pid", "--fork", "--mount-proc", sys.executable, "-c", IN_A_NAMESPACE]
    found = subprocess.run(command, capture_output=True, text=True, check=False) if unshare else None
    if found is None or found.returncode:
        pytest.skip("a PID namespace cannot be made here")
    assert found.stdout.split() == ["None", "1"]


@pytest.mark.parametrize(
    "reader", [pytest.param(processes.LinuxProcessCount, marks=linux), processes.PortableProcessCount]
)
def test_the_process_count_agrees_with_psutil(reader, eventually):
    probe = reader()
    eventually(lambda: probe.read(0.0)[0] == pytest.approx(len(psutil.pids()), abs=20))  # others start some meanwhile


@pytest.fixture
def supplies(write, kernel):
    """A laptop on mains."""
    write("AC/type", "Mains\n")
    write("BAT0/type", "Battery\n")
    write("BAT0/capacity", "87\n")
    write("BAT0/status", "Charging\n")
    return kernel


@linux
@pytest.mark.parametrize(
    ("status", "plugged"), [("Charging", 1.0), ("Full", 1.0), ("Not charging", 1.0), ("Discharging", 0.0)]
)
def test_a_battery_is_read(supplies, write, status, plugged):
    probe = battery.LinuxBattery(supplies)
    write("BAT0/status", f"{status}\n")
    assert probe.read(0.0) == (87.0, plugged)


@linux
def test_a_battery_that_does_not_tell_is_neither_plugged_nor_not(supplies, write):
    write("BAT0/status", "Unknown\n")
    assert battery.LinuxBattery(supplies).read(0.0) == (87.0, None)


@linux
def test_the_battery_of_a_mouse_is_not_the_hosts(write, kernel):
    write("hidpp_battery_0/type", "Battery\n")
    write("hidpp_battery_0/scope", "Device\n")
    write("hidpp_battery_0/capacity", "55\n")
    write("hidpp_battery_0/status", "Discharging\n")
    assert battery.LinuxBattery(kernel).read(0.0) == (None, None)


@linux
def test_a_battery_that_is_taken_out_is_empty(write, kernel):
    write("BAT0/type", "Battery\n")
    assert battery.LinuxBattery(kernel).read(0.0) == (None, None)


@pytest.mark.parametrize("folder", ["", "/nowhere"])
def test_a_host_without_battery_has_none_and_is_asked_once(kernel, folder):
    probe = battery.LinuxBattery(kernel + folder)
    assert (probe.read(0.0), probe.every_s) == ((None, None), ONLY_ONCE)


@pytest.mark.parametrize(
    ("told", "row"),
    [
        (None, (None, None)),
        (SimpleNamespace(percent=50, power_plugged=True), (50, 1.0)),
        (SimpleNamespace(percent=50, power_plugged=False), (50, 0.0)),
        (SimpleNamespace(percent=50, power_plugged=None), (50, None)),
    ],
)
def test_elsewhere_the_battery_is_psutils(monkeypatch, told, row):
    monkeypatch.setattr(psutil, "sensors_battery", lambda: told, raising=False)
    assert battery.PortableBattery().read(0.0) == row


def test_where_psutil_knows_of_no_battery_there_is_none(monkeypatch):
    monkeypatch.delattr(psutil, "sensors_battery", raising=False)
    assert battery.PortableBattery().read(0.0) == (None, None)
