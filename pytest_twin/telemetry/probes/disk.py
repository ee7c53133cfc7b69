"""Disk space and traffic, from statvfs(2) and /sys/block/*/stat (kernel: Documentation/block/stat.rst).

Whole disks only: the traffic of a partition, or of a device-mapper or RAID volume, is that of its disks.
"""

from __future__ import annotations

import os
import sys

from pytest_twin._system.procfs import GIB, LINUX, MIB, ProcFile
from pytest_twin.model.columns import Column
from pytest_twin.telemetry.counters import OFTEN_S, RARELY_S, CounterDelta

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_twin.model.columns import Value
    from pytest_twin.telemetry.counters import Counter
    from pytest_twin.telemetry.probes import ProbeContext

COLUMNS = (
    Column("disk_total_GB", "GiB", "Size of the root file system.", legacy=8),
    Column(
        "disk_used_percent",
        "%",
        "Used share of the space available to users on the root file system; read every two seconds.",
        1,
        legacy=9,
    ),
    Column(
        "disk_read_MB",
        "MiB",
        "Data read from all disks since the last row.",
        3,
        legacy=10,
        is_amount=True,
        window_s=OFTEN_S,
    ),
    Column(
        "disk_write_MB",
        "MiB",
        "Data written to all disks since the last row.",
        3,
        legacy=11,
        is_amount=True,
        window_s=OFTEN_S,
    ),
)
SECTOR = 512  # the unit of these files, whatever the disk has
NOT_DISKS = ("loop", "ram", "zram", "sr", "fd")


def probe(context: ProbeContext) -> LinuxDisk | PortableDisk:  # noqa: ARG001
    """Return the probe for this machine."""
    return LinuxDisk() if LINUX else PortableDisk()


class LinuxDisk:
    """Reads one open file for each disk, found once: /proc/diskstats would list partitions and loop devices too."""

    every_s = OFTEN_S

    def __init__(self, sys_block: str = "/sys/block", root: str = "/") -> None:
        self._disks = [ProcFile(f"{sys_block}/{name}/stat") for name in _whole_disks(sys_block)]
        self._root, self._space_due = root, float("-inf")
        self._space: tuple[float | None, float | None] = None, None
        self._growth = CounterDelta()
        self._texts: list[bytes] = []
        self._counters: tuple[Counter, Counter] = None, None

    def read(self, at: float) -> Sequence[Value]:
        """Return one value for each column."""
        texts = [disk.start() for disk in self._disks]
        if texts != self._texts:
            self._texts, self._counters = texts, _moved(texts)
        if at >= self._space_due:
            self._space_due = at + RARELY_S
            self._space = _space(self._root)
        total, used = self._space
        read, written = self._growth.amounts(self._counters, at)
        return total, used, read, written


def _moved(texts: Sequence[bytes]) -> tuple[Counter, Counter]:
    """Return MiB read and written, from the texts of all disks."""
    read = written = 0
    known = False
    for text in texts:
        fields = text.split(None, 7)
        if len(fields) > 6:
            known = True
            read += int(fields[2])
            written += int(fields[6])
    return (read * SECTOR / MIB, written * SECTOR / MIB) if known else (None, None)


class PortableDisk:
    """Reads the same values with psutil."""

    every_s = OFTEN_S

    def __init__(self) -> None:
        import psutil

        self._psutil = psutil
        self._growth = CounterDelta()

    def read(self, at: float) -> Sequence[Value]:
        """Return one value for each column."""
        usage = self._psutil.disk_usage(os.path.abspath(os.sep))
        counters = self._psutil.disk_io_counters()
        moved = (counters.read_bytes / MIB, counters.write_bytes / MIB) if counters else (None, None)
        return usage.total / GIB, usage.percent, *self._growth.amounts(moved, at)


def _whole_disks(sys_block: str) -> list[str]:
    """Return the block devices that are not built on others."""
    try:
        names = os.listdir(sys_block)
    except OSError:
        return []
    return [name for name in names if not name.startswith(NOT_DISKS) and not _is_volume(f"{sys_block}/{name}/slaves")]


def _is_volume(slaves: str) -> bool:
    try:
        return bool(os.listdir(slaves))
    except OSError:
        return False


def _space(root: str) -> tuple[float | None, float | None]:
    if sys.platform == "win32":
        return None, None
    try:
        space = os.statvfs(root)
    except OSError:
        return None, None
    used = space.f_blocks - space.f_bfree
    reachable = used + space.f_bavail
    return space.f_blocks * space.f_frsize / GIB, 100 * used / reachable if reachable else None
