"""Bandwidth of the disks that the tests write to, limited by a control group (Linux only).

The disks are those of the working folder of the tests and of the folder for temporary files. Version 1 limits what is
read and what is written past the page cache; version 2 also what the kernel writes back later.
"""

from __future__ import annotations

import os
import sys

from pytest_twin.stressors.constraint import target
from pytest_twin.stressors.system.capacity import text

assert sys.platform == "linux"  # noqa: S101 - for the type checker: this module is for Linux only


class GroupDisk:
    """Bytes a second from and to each disk, limited by a control group."""

    def __init__(self, tests: target.Target) -> None:
        """Put it in force.

        Raises:
            OSError: That is not possible here.
        """
        self._rate = max(1, round(tests.options["io"]))
        folders = os.readlink(f"/proc/{tests.pid}/cwd"), os.environ.get("TMPDIR") or "/tmp"  # noqa: S108
        self._devices = sorted({device_of(folder) for folder in folders} - {""})
        if not self._devices:
            raise OSError(f"neither {folders[0]} nor {folders[1]} is on a disk of its own that can be limited")
        self._group = tests.groups.find("io", "blkio")
        self.backend = self._group.backend
        self.resume()
        self._group.adopt(tests.outside)

    def restart(self) -> None:
        """Do nothing: it has no figures."""

    def step(self, now: float) -> float:  # noqa: ARG002
        """Do nothing: the kernel enforces it."""
        return float("inf")

    def resume(self) -> None:
        """Set the limits."""
        for device in self._devices:
            if self._group.version == 2:
                self._group.write("io.max", f"{device} rbps={self._rate} wbps={self._rate}")
            else:
                self._group.write("blkio.throttle.read_bps_device", f"{device} {self._rate}")
                self._group.write("blkio.throttle.write_bps_device", f"{device} {self._rate}")

    def lift(self) -> None:
        """Set no limits."""
        self._group.lift("io")

    def figures(self) -> target.Figures:
        """Return no figures."""
        return {}


def device_of(folder: str) -> str:
    """Return the disk of a folder as ``major:minor``; empty if its file system is on none, such as overlay or tmpfs."""
    try:
        number = os.stat(folder).st_dev
    except OSError:
        return ""
    device = os.path.realpath(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}")
    if os.path.exists(f"{device}/partition"):  # the kernel limits whole disks
        device = os.path.dirname(device)
    return text(device, "dev").strip()
