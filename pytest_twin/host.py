"""This machine: the counters of this process, what may be used, and what hardware and software there is."""

from __future__ import annotations

import os
import platform
import sys
import time
from typing import Any

from pytest_twin.model.attempt import Counters
from pytest_twin.probes.kernel import GIB, KeptOpen, read_bytes
from stressors import capacity


class Meter:
    """Reads the kernel's counters of this process; about 10 µs a reading."""

    def __init__(self) -> None:
        self._io = KeptOpen("/proc/self/io")
        self._status = KeptOpen("/proc/self/status")

    def counters(self) -> Counters:
        """What was counted up to now (getrusage(2), proc_pid_io(5))."""
        at = time.monotonic()
        if sys.platform == "win32":
            times = os.times()
            return Counters(at, times.user, times.system, None, None, None, None, None)
        import resource

        own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
        io = dict(line.split(b": ") for line in self._io.read().splitlines())
        return Counters(
            at,
            own.ru_utime,
            own.ru_stime,
            children.ru_utime + children.ru_stime,
            _number(io.get(b"read_bytes")),
            _number(io.get(b"write_bytes")),
            own.ru_nvcsw + own.ru_nivcsw,
            own.ru_majflt,
        )

    def forget_peak(self) -> None:
        """Reset the high-water mark of resident memory (proc_pid_clear_refs(5)), where that can be done."""
        try:
            with open("/proc/self/clear_refs", "wb", buffering=0) as file:
                file.write(b"5")
        except OSError:
            pass

    def peak(self) -> int | None:
        """Bytes at the high-water mark of resident memory."""
        _, _, rest = self._status.read().partition(b"VmHWM:")
        return int(rest.split(None, 1)[0]) * 1024 if rest else None


def _number(text: bytes | None) -> float | None:
    return None if text is None else float(text)


def usable() -> dict[str, float]:
    """For each measure of a stressor, what a share of it is a share of: CPUs, bytes of memory."""
    memory = capacity.usable_memory()
    return {"cpu_s": capacity.usable_cpus(), **({"peak_bytes": float(memory)} if memory else {})}


def fingerprint(*, identify: bool = False) -> dict[str, Any]:
    """What hardware and software this is; the names of the host and of the user only if asked for."""
    import psutil

    import pytest_twin

    memory = psutil.virtual_memory().total
    limit = capacity.memory_limit()
    return {
        "pytest_twin": pytest_twin.__version__,
        "cpu": {
            "model": _cpu_model(),
            "logical": psutil.cpu_count(),
            "physical": psutil.cpu_count(logical=False),
            "allowed": capacity.allowed_cpus(),
            "cgroup_quota": capacity.cpu_quota(),
        },
        "memory": {
            "total_GB": round(memory / GIB, 2),
            "swap_GB": round(psutil.swap_memory().total / GIB, 2),
            "cgroup_limit_GB": None if limit is None else round(limit / GIB, 2),
        },
        "disks": _disks(),
        "os": {
            "system": platform.system(),
            "release": platform.release(),
            "machine": platform.machine(),
            "name": _os_name(),
        },
        "python": {"version": platform.python_version(), "implementation": platform.python_implementation()},
        "packages": _packages(),
        **({"host": platform.node(), "user": _user()} if identify else {}),
    }


def _cpu_model() -> str | None:
    for line in read_bytes("/proc/cpuinfo").decode(errors="replace").splitlines():
        if line.startswith(("model name", "Model", "cpu model")):
            return line.partition(":")[2].strip()
    return platform.processor() or None


def _os_name() -> str | None:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME")
    except OSError:
        return platform.version() or None


def _disks() -> list[dict[str, Any]]:
    """The file systems on real devices: type and size, not their mount points, which can tell a user's name."""
    import psutil

    disks = []
    for partition in psutil.disk_partitions():
        try:
            size = psutil.disk_usage(partition.mountpoint).total
        except OSError:
            continue
        disks.append({"device": _device(partition.device), "type": partition.fstype, "size_GB": round(size / GIB, 1)})
    return [disk for at, disk in enumerate(disks) if disk not in disks[:at]]


def _device(path: str) -> str:
    """A device's name; a volume's is left out, since installers name those after the host."""
    return "dm" if path.startswith("/dev/mapper/") else os.path.basename(path)


def _packages() -> dict[str, str]:
    from importlib.metadata import distributions

    found = (each.metadata for each in distributions())  # parsed anew at every access
    return dict(sorted((str(data["Name"]), str(data["Version"])) for data in found if data["Name"]))


def _user() -> str | None:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return None
