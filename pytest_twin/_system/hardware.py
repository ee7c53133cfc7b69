"""What hardware there is: from the kernel's files, or psutil where there are none, which takes a while to import."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from pytest_twin._system.procfs import LINUX, read_bytes
from pytest_twin._system.stdlib import os, sys

CPUS = "/sys/devices/system/cpu"
_ESCAPED = re.compile(rb"\\([0-7]{3})")


class FileSystem(NamedTuple):
    """A file system that lies on a device; its size is in bytes."""

    device: str
    type: str
    size: int


def memory() -> tuple[int, int]:
    """Bytes of memory, and of swap space."""
    if LINUX:
        lines = (line.split() for line in read_bytes("/proc/meminfo").splitlines())
        sizes = {words[0]: int(words[1]) * 1024 for words in lines if len(words) > 1}
        return sizes.get(b"MemTotal:", 0), sizes.get(b"SwapTotal:", 0)
    import psutil

    return psutil.virtual_memory().total, psutil.swap_memory().total


def cores() -> int | None:
    """Cores, of which each may be several CPUs; None where the machine does not tell."""
    if LINUX:
        names = os.listdir(CPUS) if os.path.isdir(CPUS) else ()
        siblings = {
            read_bytes(f"{CPUS}/{name}/topology/thread_siblings_list") for name in names if name[3:].isdecimal()
        }
        return len(siblings - {b""}) or None
    import psutil

    return psutil.cpu_count(logical=False)


def file_systems() -> Iterator[FileSystem]:
    """Those on real devices; one that may not be looked at is left out."""
    for device, place, kind in _mounts():
        try:
            yield FileSystem(device, kind, _size(place))
        except OSError:
            continue


def _mounts() -> Iterator[tuple[str, str, str]]:
    """Device, mount point and type of those that are mounted."""
    if not LINUX:
        import psutil

        yield from ((each.device, each.mountpoint, each.fstype) for each in psutil.disk_partitions())
        return
    listed = (line.split(b"\t") for line in read_bytes("/proc/filesystems").splitlines())
    kinds = {name for nodev, name in listed if not nodev or name == b"zfs"}
    for line in read_bytes("/proc/self/mounts").splitlines():
        device, place, kind, *_ = (_ESCAPED.sub(lambda code: bytes([int(code[1], 8)]), word) for word in line.split())
        if kind in kinds and device != b"none":
            yield _named(os.fsdecode(device)), os.fsdecode(place), os.fsdecode(kind)


def _named(device: str) -> str:
    """A device by its own name: the kernel may have mounted the root as just that."""
    if device not in {"/dev/root", "rootfs"} or sys.platform == "win32":
        return device
    number = os.stat("/").st_dev
    found = os.path.realpath(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}")
    return f"/dev/{os.path.basename(found)}" if os.path.exists(found) else device


def _size(place: str) -> int:
    if sys.platform == "win32" or not LINUX:
        import psutil

        return psutil.disk_usage(place).total
    space = os.statvfs(place)
    return space.f_blocks * space.f_frsize
