"""Control groups of either version, with limits that the kernel really enforces."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

MOUNT = Path("/sys/fs/cgroup")
IN_GROUP = """
import os, sys, time
sys.stdin.readline()
{program}
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
        self.take(process.pid)
        process.stdin.write("go\n")
        process.stdin.flush()
        return process

    def take(self, pid: int) -> None:
        """Have a process in the group, and whatever it starts from now on."""
        for folder in self.folders.values():
            (folder / "cgroup.procs").write_text(str(pid))

    def oom_kills(self) -> int:
        """How many of its processes were killed for want of memory."""
        file = self.folders["memory"] / ("memory.oom_control" if self.version == 1 else "memory.events")
        return int(dict(line.split() for line in file.read_text().splitlines())["oom_kill"])


@contextmanager
def made_group(eventually: Callable[..., None]) -> Iterator[Group]:
    """A group for CPU time and memory; its processes are killed and it is removed behind the block.

    The test is skipped where this process may make none.
    """
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
