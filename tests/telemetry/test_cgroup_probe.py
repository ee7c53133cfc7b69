"""The control group of the run, from made-up files of both versions."""

from __future__ import annotations

import sys

import pytest
from open_descriptors import open_descriptors

from pytest_twin._system.procfs import GIB, MIB
from pytest_twin.stressors.system import capacity
from pytest_twin.telemetry.probes import ProbeContext, cgroup

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="cgroups")
NAMES = [column.name.removeprefix("cgroup_") for column in cgroup.COLUMNS]
V1_STAT = "nr_periods 10\nnr_throttled 5\nthrottled_time {}\nnr_bursts 0\n"
V2_STAT = "usage_usec {}\nuser_usec 1\nsystem_usec 1\nnr_periods 10\nnr_throttled 5\nthrottled_usec {}\n"
SECOND = 1_000_000_000
HOST_CPUS = 4


@pytest.fixture
def read(kernel, monkeypatch):
    """Reads a row by name from a probe whose process is in the group "in/box", on a host with four CPUs."""
    monkeypatch.setattr(cgroup.os, "cpu_count", lambda: HOST_CPUS)
    monkeypatch.setattr(capacity, "allowed_cpus", lambda _: 3)
    inside = {"": "v2", "cpu": "cpu", "cpuacct": "cpuacct", "memory": "memory"}

    def folders(controller: str, _process: int) -> list[str]:
        mount = f"{kernel}/{inside[controller]}"
        return [f"{mount}/in/box", f"{mount}/in", mount]

    monkeypatch.setattr(capacity, "folders", folders)
    probe = cgroup.probe(ProbeContext(7))
    return lambda at: dict(zip(NAMES, probe.read(at), strict=True))


@pytest.fixture
def v1(write):
    """Groups of version 1: half a CPU, 2 GiB."""
    write("cpu/in/box/cpu.cfs_quota_us", "50000\n")
    write("cpu/in/box/cpu.cfs_period_us", "100000\n")
    write("cpu/in/box/cpu.stat", V1_STAT.format(0))
    write("cpuacct/in/box/cpuacct.usage", "0\n")
    write("memory/in/box/memory.limit_in_bytes", f"{2 * GIB}\n")
    write("memory/in/box/memory.usage_in_bytes", f"{GIB}\n")
    write("memory/in/box/memory.stat", f"inactive_file 1\ntotal_inactive_file {GIB // 4}\n")
    write("memory/in/box/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n")


@pytest.fixture
def v2(write):
    """Groups of version 2: half a CPU, 2 GiB."""
    write("v2/in/box/cpu.max", "50000 100000\n")
    write("v2/in/box/cpu.stat", V2_STAT.format(0, 0))
    write("v2/in/box/memory.max", f"{2 * GIB}\n")
    write("v2/in/box/memory.current", f"{GIB}\n")
    write("v2/in/box/memory.stat", f"anon 5\ninactive_file {GIB // 4}\n")
    write("v2/in/box/memory.events", "low 0\nhigh 0\nmax 9\noom 4\noom_kill 3\noom_group_kill 0\n")


LIMITS = {"usable_cpus": 0.5, "cpu_limit": 0.5, "memory_limit_GB": 2.0, "memory_used_GB": 0.75}
NO_LIMITS = {**dict.fromkeys(NAMES), "usable_cpus": 3}


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_limits_and_memory_are_told_from_the_first_row_on(read, request, version):
    request.getfixturevalue(version)
    assert read(0.0) == {**LIMITS, "cpu_percent": None, "throttled_percent": None, "oom_kills": None}


def test_in_version_1_what_grew_is_told(read, v1, write):
    read(0.0)
    write("cpuacct/in/box/cpuacct.usage", f"{SECOND // 2}\n")
    write("cpu/in/box/cpu.stat", V1_STAT.format(SECOND // 4))
    write("memory/in/box/memory.oom_control", "oom_kill 5\n")
    assert read(1.0) == {**LIMITS, "cpu_percent": 12.5, "throttled_percent": 25.0, "oom_kills": 2}


def test_in_version_2_what_grew_is_told(read, v2, write):
    read(0.0)
    write("v2/in/box/cpu.stat", V2_STAT.format(500_000, 250_000))
    write("v2/in/box/memory.events", "oom_kill 5\n")
    assert read(1.0) == {**LIMITS, "cpu_percent": 12.5, "throttled_percent": 25.0, "oom_kills": 2}


def test_between_two_readings_no_process_is_killed_twice(read, v1, write):
    read(0.0)
    write("memory/in/box/memory.oom_control", "oom_kill 5\n")
    assert [read(at)["oom_kills"] for at in (0.5, 0.6, 0.7, 1.0)] == [2, 0, 0, 0]


def test_throttling_on_many_cpus_is_no_more_than_all_of_the_time(read, v1, write):
    read(0.0)
    write("cpu/in/box/cpu.stat", V1_STAT.format(3 * SECOND))
    assert read(1.0)["throttled_percent"] == 100.0


def test_the_group_with_the_tightest_limit_is_told_of(read, v2, write):
    write("v2/in/cpu.max", "10000 100000\n")
    write("v2/in/cpu.stat", V2_STAT.format(0, 0))
    write("v2/in/memory.max", f"{GIB}\n")
    write("v2/in/memory.current", f"{GIB // 2}\n")
    write("v2/in/memory.stat", "inactive_file 0\n")
    row = read(0.0)
    assert (row["cpu_limit"], row["memory_limit_GB"], row["memory_used_GB"]) == (0.1, 1.0, 0.5)
    write("v2/in/cpu.stat", V2_STAT.format(400_000, 0))
    assert read(1.0)["cpu_percent"] == 10.0


def test_without_a_limit_the_innermost_group_is_told_of(read, v2, write):
    write("v2/in/box/cpu.max", "max 100000\n")
    write("v2/in/box/memory.max", "max\n")
    write("v2/in/memory.current", f"{9 * GIB}\n")
    row = read(0.0)
    assert (row["cpu_limit"], row["usable_cpus"], row["memory_limit_GB"], row["memory_used_GB"]) == (
        None,
        3,
        None,
        0.75,
    )


def test_limits_that_change_are_seen_after_a_while(read, v2, write):
    read(0.0)
    write("v2/in/box/cpu.max", "200000 100000\n")
    write("v2/in/box/memory.max", "max\n")
    assert [read(at)["cpu_limit"] for at in (4.5, 5.0)] == [0.5, 2.0]
    assert read(5.1)["memory_limit_GB"] is None


def test_another_group_begins_anew(read, v2, write):
    write("v2/in/cpu.stat", V2_STAT.format(9_000_000, 9_000_000))
    write("v2/in/cpu.max", "max 100000\n")
    read(0.0)
    write("v2/in/cpu.max", "10000 100000\n")
    assert (read(5.0)["cpu_percent"], read(5.5)["cpu_percent"]) == (None, 0.0)


def test_a_controller_that_is_switched_on_later_is_found(read, write):
    write("v2/in/box/cgroup.controllers", "pids\n")
    assert read(0.0) == NO_LIMITS
    write("v2/in/box/cgroup.controllers", "cpu pids\n")
    write("v2/in/box/cpu.max", "50000 100000\n")
    assert read(5.0)["cpu_limit"] == 0.5


def test_where_nothing_is_said_anew_no_group_is_looked_for(read, v2, monkeypatch):
    rows = [read(0.0)]
    monkeypatch.setattr(capacity, "folders", None)
    monkeypatch.setattr(capacity, "allowed_cpus", lambda _: 0.25)
    rows.append(read(5.0))
    assert [row["usable_cpus"] for row in rows] == [0.5, 0.25]


def test_counters_that_step_back_are_empty_once(read, v1, write):
    write("cpuacct/in/box/cpuacct.usage", f"{SECOND}\n")
    read(0.0)
    write("cpuacct/in/box/cpuacct.usage", "0\n")
    write("memory/in/box/memory.oom_control", "oom_kill 1\n")
    rows = [read(at) for at in (1.0, 2.0)]
    assert [(row["cpu_percent"], row["oom_kills"]) for row in rows] == [(None, None), (0.0, 0)]


def test_each_file_that_is_gone_costs_its_own_cells(read, v1, tmp_path, write):
    read(0.0)
    write("memory/in/box/memory.stat", "")
    row = read(1.0)
    assert row["memory_used_GB"] is None
    assert (row["cpu_percent"], row["memory_limit_GB"], row["oom_kills"]) == (0.0, 2.0, 0)


def test_memory_that_is_all_cache_is_no_less_than_nothing(read, v1, write):
    write("memory/in/box/memory.usage_in_bytes", f"{MIB}\n")
    assert read(0.0)["memory_used_GB"] == 0.0


def test_without_groups_nothing_is_made_up(read):
    assert [read(at) for at in (0.0, 1.0)] == [NO_LIMITS] * 2


def test_a_process_that_is_gone_has_no_cpus(read, monkeypatch):
    def gone(_process: int) -> int:
        raise ProcessLookupError

    monkeypatch.setattr(capacity, "allowed_cpus", gone)
    assert read(0.0) == dict.fromkeys(NAMES)


def test_looking_again_leaves_no_descriptors(read, v2, write):
    read(0.0)
    before = open_descriptors()
    for at in range(1, 20):
        write("v2/in/cpu.max", f"{at % 2 * 90000 + 10000} 100000\n")
        write("v2/in/cpu.stat", V2_STAT.format(0, 0))
        read(5.0 * at)
    assert not open_descriptors() - before
