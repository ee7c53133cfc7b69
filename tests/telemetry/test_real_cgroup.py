"""The control group of a process that is really limited; only where this process may make groups."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import psutil
import pytest
from file_systems import is_in_memory

from pytest_twin._system.procfs import GIB, MIB
from pytest_twin.telemetry.probes import ProbeContext, cgroup

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="cgroups")
NAMES = [column.name for column in cgroup.COLUMNS]
BURN = "while True: pass"
HOLD = """
block = b"x" * (60 << 20)
with open({path!r}, "wb") as file:
    for _ in range(30): file.write(block[:1 << 20])
    file.flush(), os.fsync(file.fileno())
print("there", flush=True)
time.sleep(600)
"""
TOO_MUCH = """
if not os.fork():
    block = b"x" * (300 << 20)
print("child", os.wait()[1], flush=True)
time.sleep(600)
"""


def rows(process: subprocess.Popen[str]):
    """Reads rows of now, by the names of their columns."""
    probe = cgroup.probe(ProbeContext(process.pid))
    return lambda later=0.0: dict(zip(NAMES, probe.read(time.monotonic() + later), strict=True))


def test_a_process_that_is_throttled_is_told_of_truly(group, eventually):
    group.limit(cpus=0.2)
    process = group.start(BURN)
    cpu_s = psutil.Process(process.pid).cpu_times
    read = rows(process)
    most_s, most_cpu_s = time.monotonic(), sum(cpu_s())
    assert {read()[name] for name in ("usable_cpus", "cgroup_cpu_limit")} == {0.2}
    least_s, least_cpu_s = time.monotonic(), sum(cpu_s())
    time.sleep(1.5)
    least_s, least_cpu_s = time.monotonic() - least_s, sum(cpu_s()) - least_cpu_s
    cpus = read()["cgroup_cpu_percent"] / 100 * (os.cpu_count() or 1)
    most_s, most_cpu_s = time.monotonic() - most_s, sum(cpu_s()) - most_cpu_s
    assert least_cpu_s - 0.05 <= cpus * most_s
    assert cpus * least_s <= most_cpu_s + 0.05

    def is_throttled() -> bool:
        time.sleep(0.5)
        return read()["cgroup_throttled_percent"] > 30

    group.limit(cpus=0.02)  # which it uses up however little others leave to it
    eventually(is_throttled)
    group.limit(cpus=1)
    assert read(cgroup.FIND_EVERY_S)["cgroup_cpu_limit"] == 1


def test_memory_is_told_of_truly_without_the_cache_that_can_be_dropped(group, tmp_path):
    group.limit(memory=200 * MIB)
    process = group.start(HOLD.format(path=str(tmp_path / "file")))
    assert process.stdout.readline() == "there\n"
    row = rows(process)()
    assert row["cgroup_memory_limit_GB"] == 200 * MIB / GIB
    kept = 30 if is_in_memory(tmp_path) else 0  # such a file cannot be dropped
    assert 60 < row["cgroup_memory_used_GB"] * 1024 - kept < 85


def test_a_process_that_was_killed_for_memory_is_counted(group):
    group.limit(memory=100 * MIB)
    process = group.start(f"sys.stdin.readline()\n{TOO_MUCH}")
    read = rows(process)
    read()
    assert read(cgroup.SELDOM_S)["cgroup_oom_kills"] == 0
    process.stdin.write("go\n")
    process.stdin.flush()
    assert process.stdout.readline() == "child 9\n"
    assert read(2 * cgroup.SELDOM_S)["cgroup_oom_kills"] == 1
