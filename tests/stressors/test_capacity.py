"""What may be used of the machine, read from made-up files of the kernel."""

from __future__ import annotations

import os

import pytest

from pytest_twin.stressors.system import capacity
from pytest_twin.stressors.system.capacity import MIB

GIB = 1 << 30
UNLIMITED_V1 = 9223372036854771712
CGROUP = "/proc/self/cgroup"
V1 = "/sys/fs/cgroup"


@pytest.fixture
def files(monkeypatch):
    """The kernel's files by path; one that is not put in is missing."""
    texts: dict[str, str] = {}
    monkeypatch.setattr(capacity, "text", lambda folder, name: texts.get(f"{folder}/{name}", ""))
    return texts


def meminfo(total: int, available: int) -> str:
    return f"MemTotal:  {total // 1024} kB\nMemFree:  1 kB\nMemAvailable:  {available // 1024} kB\nHugePages_Total: 0\n"


@pytest.mark.parametrize(
    ("cpu_max", "cpus"),
    [("150000 100000\n", 1.5), ("20000 10000\n", 2.0), ("max 100000\n", None), ("", None)],
)
def test_a_quota_of_cgroup_v2_is_read(files, cpu_max, cpus):
    files.update({CGROUP: "0::/job\n", "/sys/fs/cgroup/job/cpu.max": cpu_max})
    assert capacity.cpu_quota() == cpus


def test_the_tightest_of_the_quotas_above_counts(files):
    files.update({
        CGROUP: "0::/a/b/c\n",
        "/sys/fs/cgroup/a/b/c/cpu.max": "max 100000\n",
        "/sys/fs/cgroup/a/b/cpu.max": "50000 100000\n",
        "/sys/fs/cgroup/a/cpu.max": "300000 100000\n",
    })  # fmt: skip
    assert capacity.cpu_quota() == 0.5


def test_in_a_container_the_limits_are_at_the_mount(files):
    files.update({CGROUP: "0::/../docker/1234\n", "/sys/fs/cgroup/cpu.max": "200000 100000\n"})
    assert capacity.cpu_quota() == 2.0


@pytest.mark.parametrize(
    ("quota", "period", "cpus"),
    [
        pytest.param("150000\n", "100000\n", 1.5),
        pytest.param("150000\n", "50000\n", 3.0),
        ("-1\n", "100000\n", None),
    ],
)
def test_a_quota_of_cgroup_v1_is_read(files, quota, period, cpus):
    files.update({
        CGROUP: "5:memory:/\n3:cpu,cpuacct:/job\n0::/\n",
        f"{V1}/cpu/job/cpu.cfs_quota_us": quota,
        f"{V1}/cpu/job/cpu.cfs_period_us": period,
    })  # fmt: skip
    assert capacity.cpu_quota() == cpus


@pytest.mark.parametrize(("cpu_max", "usable"), [("150000 100000", 1.5), ("900000 100000", 4.0), ("", 4.0)])
def test_usable_are_the_allowed_cpus_or_the_quota_whichever_is_less(files, monkeypatch, cpu_max, usable):
    monkeypatch.setattr(capacity, "allowed_cpus", lambda: 4)
    files.update({CGROUP: "0::/\n", "/sys/fs/cgroup/cpu.max": cpu_max})
    assert capacity.usable_cpus() == usable


def test_the_affinity_of_this_process_is_counted(monkeypatch):
    monkeypatch.setattr(capacity.sys, "platform", "linux")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 2, 5}, raising=False)
    assert capacity.allowed_cpus() == 3


def test_where_there_is_no_affinity_all_cpus_are_allowed(monkeypatch):
    monkeypatch.setattr(capacity.sys, "platform", "darwin")
    monkeypatch.setattr(os, "cpu_count", lambda: 10)
    assert capacity.allowed_cpus() == 10


@pytest.mark.parametrize(
    ("at", "text", "limit"),
    [
        ("/sys/fs/cgroup/job/memory.max", f"{GIB}\n", GIB),
        ("/sys/fs/cgroup/job/memory.max", "max\n", None),
        ("/sys/fs/cgroup/unified/job/memory.max", f"{GIB}\n", GIB),
        (f"{V1}/memory/box/memory.limit_in_bytes", f"{GIB}\n", GIB),
        (f"{V1}/memory/memory.limit_in_bytes", f"{GIB}\n", GIB),
        (f"{V1}/memory/box/memory.limit_in_bytes", f"{UNLIMITED_V1}\n", None),
    ],
)
def test_a_memory_limit_is_read(files, at, text, limit):
    files.update({CGROUP: "4:memory:/box\n0::/job\n", at: text})
    assert capacity.memory_limit() == limit


def test_the_tightest_of_the_memory_limits_above_counts(files):
    files.update({
        CGROUP: "0::/a/b\n",
        "/sys/fs/cgroup/a/b/memory.max": f"{4 * GIB}\n",
        "/sys/fs/cgroup/a/memory.max": f"{2 * GIB}\n",
    })  # fmt: skip
    assert capacity.memory_limit() == 2 * GIB


def test_a_colon_in_the_name_of_a_cgroup_is_part_of_it(files):
    files.update({CGROUP: "0::/a:b\n", "/sys/fs/cgroup/a:b/memory.max": f"{GIB}\n"})
    assert capacity.memory_limit() == GIB


def test_controllers_of_others_are_not_ours(files):
    files.update({CGROUP: "4:memory_other,cpu:/box\n", f"{V1}/memory/box/memory.limit_in_bytes": "1\n"})
    assert capacity.memory_limit() is None


@pytest.mark.parametrize(("limit", "usable"), [(f"{GIB}\n", GIB), (f"{64 * GIB}\n", 16 * GIB), ("max\n", 16 * GIB)])
def test_usable_memory_is_the_hosts_or_the_limit_whichever_is_less(files, limit, usable):
    files.update({CGROUP: "0::/\n", "/sys/fs/cgroup/memory.max": limit, "/proc/meminfo": meminfo(16 * GIB, GIB)})
    assert capacity.usable_memory() == usable


def test_without_a_cgroup_available_is_what_the_kernel_says(files):
    files["/proc/meminfo"] = meminfo(16 * GIB, 5 * GIB)
    assert capacity.available_memory() == 5 * GIB


def test_below_a_limit_of_cgroup_v2_droppable_cache_is_available(files):
    files.update({
        CGROUP: "0::/job\n",
        "/proc/meminfo": meminfo(16 * GIB, 8 * GIB),
        "/sys/fs/cgroup/job/memory.max": f"{1000 * MIB}\n",
        "/sys/fs/cgroup/job/memory.current": f"{700 * MIB}\n",
        "/sys/fs/cgroup/job/memory.stat": f"anon {600 * MIB}\ninactive_file {50 * MIB}\n",
    })  # fmt: skip
    assert capacity.available_memory() == 350 * MIB


def test_below_a_limit_of_cgroup_v1_the_totals_count(files):
    files.update({
        CGROUP: "4:memory:/box\n",
        f"{V1}/memory/box/memory.limit_in_bytes": f"{1000 * MIB}\n",
        f"{V1}/memory/box/memory.usage_in_bytes": f"{900 * MIB}\n",
        f"{V1}/memory/box/memory.stat": f"inactive_file {1 * MIB}\ntotal_inactive_file {40 * MIB}\n",
    })  # fmt: skip
    assert capacity.available_memory() == 140 * MIB


def test_over_its_limit_nothing_is_available(files):
    files.update({CGROUP: "0::/\n", "/sys/fs/cgroup/memory.max": "100\n", "/sys/fs/cgroup/memory.current": "200\n"})
    assert capacity.available_memory() == 0


def test_where_the_platform_says_nothing_there_is_no_figure(files):
    assert files == {}
    assert capacity.usable_memory() is None
    assert capacity.available_memory() is None
    assert capacity.memory_limit() is None
    assert capacity.cpu_quota() is None


@pytest.mark.parametrize(
    ("total", "of_memory", "of_disk"),
    [
        (GIB, 256, 256), (5120 * MIB, 256, 256), (25600 * MIB, 1280, 512),
        (512 * MIB, 256, 256), (300 * MIB, 150, 150), (10 * MIB, 5, 5), (0, 0, 0),
    ],
)  # fmt: skip
def test_a_part_but_at_least_256_mib_and_at_most_half_is_left_to_everybody_else(total, of_memory, of_disk):
    assert (capacity.memory_reserve(total), capacity.disk_reserve(total)) == (of_memory * MIB, of_disk * MIB)


def test_a_file_that_cannot_be_read_is_empty(tmp_path):
    assert capacity.text(str(tmp_path), "missing") == ""
    assert capacity.text(str(tmp_path.parent), tmp_path.name) == ""


def test_this_machine_has_something_to_use():
    assert 0 < capacity.usable_cpus() <= (os.cpu_count() or 1)
    usable = capacity.usable_memory()
    assert usable is None or 0 < (capacity.available_memory() or 1) <= usable


@pytest.mark.parametrize(
    ("high", "current", "available"), [("max", 0, 1000), (f"{800 * MIB}", 0, 800), (f"{800 * MIB}", 300 * MIB, 500)]
)
def test_below_a_limit_of_cgroup_v2_the_mark_at_which_it_is_slowed_down_counts(files, high, current, available):
    files.update({
        CGROUP: "0::/job\n",
        "/proc/meminfo": meminfo(16 * GIB, 8 * GIB),
        "/sys/fs/cgroup/job/memory.max": f"{1000 * MIB}\n",
        "/sys/fs/cgroup/job/memory.high": f"{high}\n",
        "/sys/fs/cgroup/job/memory.current": f"{current}\n",
    })  # fmt: skip
    assert capacity.available_memory() == available * MIB


@pytest.mark.parametrize(
    ("at", "text", "kills"),
    [
        ("/sys/fs/cgroup/job/memory.events", "low 0\nhigh 0\nmax 9\noom 2\noom_kill 3\n", 3),
        (f"{V1}/memory/box/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n", 2),
        ("/elsewhere", "", None),
    ],
)
def test_kills_for_want_of_memory_are_counted_by_the_cgroup(files, at, text, kills):
    files.update({CGROUP: "4:memory:/box\n0::/job\n", at: text})
    assert capacity.oom_kills() == kills
