"""Each CPU by itself."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from types import SimpleNamespace

import psutil
import pytest

from pytest_twin._system.procfs import TICKS
from pytest_twin.telemetry.probes import ProbeContext, cores, module_columns

linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc")
ASKED = ProbeContext(os.getpid(), per_core=True)
NOT_ASKED = ProbeContext(os.getpid())


def stat(**idle_s: float) -> str:
    lines = (f"{name} 1 2 3 {round(seconds * TICKS)} 0 6 7 8 0 0\n" for name, seconds in idle_s.items())
    return "cpu  9 9 9 9 9 9 9 9 9 9\n" + "".join(lines) + "intr 5 5 5\nctxt 5\n"


@pytest.fixture
def rows(write, kernel):
    """Rows from what the file said one after the other, a second apart, on a host with three CPUs."""

    def rows(*texts: str) -> list[list[float | None]]:
        write("stat", texts[0])
        probe = cores.LinuxCores(3, kernel)
        return [write("stat", text) or list(probe.read(float(at))) for at, text in enumerate(texts)]

    return rows


@linux
def test_a_share_is_told_for_each_cpu(rows):
    first, second = rows(stat(cpu0=5, cpu1=5, cpu2=5), stat(cpu0=5, cpu1=5.75, cpu2=6))
    assert first == [None, None, None]
    assert second == [100.0, 25.0, 0.0]


@linux
def test_waiting_for_a_disk_is_idle(rows):
    waited = stat(cpu0=5).replace(f"{5 * TICKS} 0 6", f"{5 * TICKS} {TICKS // 2} 6")
    assert rows(stat(cpu0=5), waited)[1] == [50.0, None, None]


@linux
def test_a_cpu_that_is_switched_off_is_empty_and_comes_back(rows):
    both, one = {"cpu0": 5, "cpu1": 5, "cpu2": 5}, {"cpu0": 5, "cpu2": 5}
    assert [row[1] for row in rows(stat(**both), stat(**one), stat(**both), stat(**both))] == [None, None, None, 100.0]


@linux
def test_more_cpus_than_columns_do_no_harm(rows):
    assert rows(stat(cpu0=1, cpu7=1), stat(cpu0=2, cpu7=1))[1] == [0.0, None, None]


@linux
@pytest.mark.parametrize("text", ["", "cpu  1 2 3\n", "cpu  1 2 3\ncpu0 1 2\n"])
def test_what_is_not_told_is_empty(rows, text):
    assert rows(text, text) == [[None] * 3] * 2


@linux
@pytest.mark.parametrize(("present", "count"), [("0-3\n", 4), ("0\n", 1), ("0-3,8-11\n", 12), ("", None)])
def test_cpus_are_those_that_are_present(monkeypatch, write, kernel, present, count):
    write("present", present)
    monkeypatch.setattr(cores, "PRESENT", f"{kernel}/present")
    assert len(module_columns(cores, ASKED)) == (count or os.cpu_count())


def test_there_are_columns_only_where_they_are_asked_for():
    assert module_columns(cores, NOT_ASKED) == ()
    assert cores.probe(NOT_ASKED).read(0.0) == ()
    assert module_columns(cores, ASKED)[0].name == "cpu0_percent"
    assert len(cores.probe(ASKED).read(0.0)) == len(module_columns(cores, ASKED))


def test_elsewhere_times_are_psutils(monkeypatch):
    seconds = iter([(1.0, 1.0), (2.0, 1.5)])
    monkeypatch.setattr(psutil, "cpu_times", lambda percpu: [SimpleNamespace(idle=idle) for idle in next(seconds)])
    probe = cores.PortableCores(3)
    assert [probe.read(0.0), probe.read(1.0)] == [[None] * 3, [0.0, 50.0, None]]


@linux
def test_a_cpu_that_really_burns_is_the_one_that_is_told(eventually):
    cpu = max(os.sched_getaffinity(0))
    program = f"import os; os.sched_setaffinity(0, [{cpu}])\nprint(flush=True)\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-S", "-c", program], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        probe = cores.probe(ASKED)
        probe.read(time.monotonic())

        def is_told() -> bool:
            time.sleep(0.5)
            return probe.read(time.monotonic())[cpu] > 80

        try:
            eventually(is_told)
        finally:
            process.kill()
