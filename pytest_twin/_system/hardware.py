"""The hardware of the machine: from kernel files, or else from psutil, which is slow to import."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pytest_twin._system.procfs import LINUX, read_bytes
from pytest_twin._system.stdlib import os, sys

CPUS = "/sys/devices/system/cpu"


def memory() -> tuple[int, int]:
    """Return the bytes of memory and of swap space."""
    if LINUX:
        lines = (line.split() for line in read_bytes("/proc/meminfo").splitlines())
        sizes = {words[0]: int(words[1]) * 1024 for words in lines if len(words) > 1}
        return sizes.get(b"MemTotal:", 0), sizes.get(b"SwapTotal:", 0)
    import psutil

    return psutil.virtual_memory().total, psutil.swap_memory().total


def cores() -> int | None:
    """Return the number of physical cores; None where it is not known."""
    if LINUX:
        names = os.listdir(CPUS) if os.path.isdir(CPUS) else ()
        siblings = {
            read_bytes(f"{CPUS}/{name}/topology/thread_siblings_list") for name in names if name[3:].isdecimal()
        }
        return len(siblings - {b""}) or None
    import psutil

    return psutil.cpu_count(logical=False)


def file_systems() -> Iterator[tuple[str, str, int]]:
    """Yield device, type and bytes of the file systems on real devices, except those that cannot be read."""
    for device, place, kind in _mounts():
        try:
            yield device, kind, _size(place)
        except OSError:
            continue


def _mounts() -> Iterator[tuple[str, str, str]]:
    """Yield device, mount point and type of each mounted file system."""
    if not LINUX:
        import psutil

        yield from ((each.device, each.mountpoint, each.fstype) for each in psutil.disk_partitions())
        return
    listed = (line.split(b"\t") for line in read_bytes("/proc/filesystems").splitlines())
    kinds = {name for nodev, name in listed if not nodev or name == b"zfs"}
    for line in read_bytes("/proc/self/mounts").splitlines():
        device, place, kind = map(_unescaped, line.split()[:3])
        if kind in kinds and device != b"none":
            yield _named(os.fsdecode(device)), os.fsdecode(place), os.fsdecode(kind)


def _named(device: str) -> str:
    """Return the real name of a device; the kernel may call that of the root file system /dev/root."""
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


def _unescaped(word: bytes) -> bytes:
    """Return a word of a table of mounts, in which spaces and others stand as octal codes (getmntent(3))."""
    return re.sub(rb"\\([0-7]{3})", lambda code: bytes([int(code[1], 8)]), word) if b"\\" in word else word
