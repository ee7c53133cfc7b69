"""The control group of a process that is really limited; only where this process may make groups."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pytest_twin.probes import Context, cgroup
from pytest_twin.probes.kernel import GIB, MIB

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="cgroups")
NAMES = [column.name for column in cgroup.COLUMNS]
MOUNT = Path("/sys/fs/cgroup")
IN_GROUP = """
import os, sys, time
sys.stdin.readline()
{program}
"""
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


class Group:
    """A control group of its own, of either version."""

    def __init__(self, folders: dict[str, Path], version: int) -> None:
        self.folders, self.version = folders, version
        self.processes: list[subprocess.Popen[str]] = []

    def limit(self, cpus: float | None = None, memory: int | None = None) -> None:
        if cpus is not None and self.version == 1:
            (self.folders["cpu"] / "cpu.cfs_quota_us").write_text(f"{round(cpus * 100_000)}")
        elif cpus is not None:
            (self.folders["cpu"] / "cpu.max").write_text(f"{round(cpus * 100_000)} 100000")
        if memory is not None:
            name = "memory.limit_in_bytes" if self.version == 1 else "memory.max"
            (self.folders["memory"] / name).write_text(str(memory))

    def start(self, program: str) -> subprocess.Popen[str]:
        """A process that runs this in the group."""
        command = [sys.executable, "-S", "-c", IN_GROUP.format(program=program)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.processes.append(process)
        for folder in self.folders.values():
            (folder / "cgroup.procs").write_text(str(process.pid))
        process.stdin.write("go\n")
        process.stdin.flush()
        return process


@pytest.fixture
def group(eventually):
    """A group for CPU time and memory; its processes are killed and it is removed after the test."""
    version = 2 if (MOUNT / "cgroup.controllers").exists() else 1
    name = f"twin-test-{os.getpid()}"
    mounts = {"cpu": "cpu", "cpuacct": "cpuacct", "memory": "memory"} if version == 1 else {"cpu": "", "memory": ""}
    found = Group({controller: MOUNT / folder / name for controller, folder in mounts.items()}, version)
    needed = {"cpu": ("cpu.cfs_quota_us", "cpu.max"), "memory": ("memory.limit_in_bytes", "memory.max")}
    try:
        for folder in found.folders.values():
            folder.mkdir(exist_ok=True)
        if not all(any((found.folders[each] / file).exists() for file in files) for each, files in needed.items()):
            pytest.skip("there are no cgroup controllers for CPU time and memory here")
        yield found
    except OSError as error:
        pytest.skip(f"a cgroup cannot be made here: {error.strerror}")
    finally:
        for process in found.processes:
            process.kill()
            process.communicate()
        for folder in set(found.folders.values()):
            eventually(lambda folder=folder: _removed(folder))


def _removed(folder: Path) -> bool:
    """Whether it is gone; the kernel lets go of processes a moment after they ended."""
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def rows(process: subprocess.Popen[str]):
    """Reads rows of now, by the names of their columns."""
    probe = cgroup.probe(Context(process.pid))
    return lambda later=0.0: dict(zip(NAMES, probe.read(time.monotonic() + later), strict=True))


def test_a_process_that_is_throttled_is_told_of_truly(group):
    group.limit(cpus=0.2)
    read = rows(group.start(BURN))
    assert {read()[name] for name in ("usable_cpus", "cgroup_cpu_limit")} == {0.2}
    time.sleep(1.5)
    row = read()
    assert row["cgroup_cpu_percent"] * (os.cpu_count() or 1) == pytest.approx(20, abs=8)
    assert row["cgroup_throttled_percent"] > 30
    group.limit(cpus=1)
    assert read(cgroup.LOOK_EVERY_S)["cgroup_cpu_limit"] == 1


def test_memory_is_told_of_truly_without_the_cache_that_can_be_dropped(group, tmp_path):
    group.limit(memory=200 * MIB)
    process = group.start(HOLD.format(path=str(tmp_path / "file")))
    assert process.stdout.readline() == "there\n"
    row = rows(process)()
    assert row["cgroup_memory_limit_GB"] == 200 * MIB / GIB
    assert 60 < row["cgroup_memory_used_GB"] * 1024 < 85


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
