"""Sources of telemetry that are not there, or do not tell: an empty cell, told once, and the row is kept."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import psutil
import pytest

from pytest_twin.model.columns import Column
from pytest_twin.telemetry import fingerprint, probes, process_tree_psutil
from pytest_twin.telemetry.probe_runner import ProbeRunner
from pytest_twin.telemetry.probes import ProbeContext, cores, trees

pytestmark = pytest.mark.fault("sources")

CONTEXT = ProbeContext(os.getpid(), per_core=True)
ASKED = (
    "cpu_times", "cpu_count", "virtual_memory", "swap_memory", "disk_usage", "disk_io_counters", "net_io_counters",
    "sensors_battery", "sensors_temperatures", "cpu_freq", "pids",
)  # fmt: skip
SILENT = {
    "None": lambda *_, **__: None,
    "AccessDenied": lambda *_, **__: fail(psutil.AccessDenied(1)),
    "NoSuchProcess": lambda *_, **__: fail(psutil.NoSuchProcess(1)),
    "OSError": lambda *_, **__: fail(PermissionError(13, "Permission denied")),
}


def fail(error: Exception) -> None:
    raise error


def portable() -> Iterator[SimpleNamespace]:
    """The probes as they are where there is no /proc."""
    for module in probes.find_modules():
        columns = probes.module_columns(module, CONTEXT)
        if module is trees:
            make = lambda _: trees.TreesProbe(CONTEXT, process_tree_psutil.PortableTree())  # noqa: E731
        elif module is cores:
            make = lambda _, columns=columns: cores.PortableCores(len(columns))  # noqa: E731
        elif hasattr(module, "Portable"):
            make = lambda _, module=module: module.Portable()  # noqa: E731
        else:
            continue
        yield SimpleNamespace(__name__=module.__name__, COLUMNS=columns, probe=make)


@pytest.fixture
def silent(monkeypatch) -> Callable[[str], None]:
    """Has psutil tell nothing, in one of its ways."""

    def silent(how: str) -> None:
        for name in ASKED:
            monkeypatch.setattr(psutil, name, SILENT[how], raising=False)
        for name in ("cpu_times", "memory_info", "cmdline", "num_threads", "io_counters", "num_fds", "children"):
            monkeypatch.setattr(psutil.Process, name, SILENT[how], raising=False)

    return silent


@pytest.mark.parametrize("how", SILENT)
def test_psutil_that_tells_nothing_costs_its_cells_and_each_is_told_once(silent, how):
    silent(how)
    found = list(portable())
    values = ProbeRunner(found, CONTEXT)
    rows = [list(values.read(at)) for at in (1.0, 2.0, 3.0)]
    width = sum(len(module.COLUMNS) for module in found)
    assert [len(row) for row in rows] == [width] * 3
    assert [value for row in rows for value in row if value not in {None, 0}] == []
    assert len(values.warnings) == len(set(values.warnings)) <= len(found)


@pytest.mark.parametrize("how", SILENT)
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it is psutil that tells")
def test_a_fingerprint_lacks_what_is_not_told(silent, how):
    silent(how)
    assert fingerprint.take_fingerprint()["pytest_twin"]


def test_a_probe_that_cannot_be_made_costs_its_cells_and_is_told_once():
    broken = SimpleNamespace(
        __name__="package.broken", COLUMNS=(Column("one", "", "One."),), probe=lambda _: fail(OSError(5, "no sensor"))
    )
    values = ProbeRunner([broken], CONTEXT)
    assert [list(values.read(at)) for at in (1.0, 2.0)] == [[None], [None]]
    assert values.warnings == ["broken: OSError: [Errno 5] no sensor"]


HIDDEN = (
    "mount --bind /dev/null /proc/diskstats; mount --bind /dev/null /proc/meminfo;"
    "for each in /proc/pressure /sys/class/power_supply /sys/class/hwmon /sys/block /sys/fs/cgroup; do"
    " if [ -d $each ]; then mount -t tmpfs none $each; fi; done; "
)
EMPTY = (
    "ram_used_percent", "disk_read_MB", "disk_write_MB", "battery_percent", "battery_plugged",
    "pressure_cpu_percent", "pressure_io_percent", "cgroup_memory_used_GB", "cgroup_cpu_limit", "cpu_temperature_C",
)  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="hides files of the kernel")
def test_a_machine_without_half_of_its_files_has_empty_cells_and_whole_rows(run, alone):
    body = "import pytest, time\n@pytest.mark.stress(cpu=1)\ndef test_it(): time.sleep(0.3)\n"
    done, status, said = run(body, "--twin", before=[*alone, HIDDEN + 'exec "$@"', "sh"])
    assert status == 0, said
    assert "1 passed" in said
    assert said.count("warning: ") <= 3
    assert done.samples
    assert {row[name] for row in done.samples for name in EMPTY} == {""}
    assert all(row["elapsed_s"] and row["process_count"] for row in done.samples)
    assert done.loads("end") == [("cpu", "1")]


@pytest.mark.skipif(sys.platform != "linux", reason="hides /proc")
def test_without_proc_there_is_no_count_of_processes_and_one_line_says_so(run, alone):
    hidden = 'mount -t tmpfs none /proc && exec "$@"'
    body = "import time\ndef test_it(): time.sleep(0.3)\n"
    done, status, said = run(body, "--twin", before=[*alone, hidden, "sh"])
    assert status == 0, said
    assert said.count("the process trees cannot be read") == said.count("warning: ") == 1
    assert (
        {row["process_count"] for row in done.samples} == {row["tests_process_count"] for row in done.samples} == {""}
    )


def test_a_probe_may_say_once_what_it_cannot_tell():
    silent = SimpleNamespace(read=lambda _: (None,), warning="no such thing here")
    module = SimpleNamespace(__name__="silent", COLUMNS=(Column("one", "", "One."),), probe=lambda _: silent)
    asked = ProbeRunner([module], CONTEXT)
    assert [asked.read(at) for at in (0.0, 1.0)] == [[None]] * 2
    assert asked.warnings == ["no such thing here"]
