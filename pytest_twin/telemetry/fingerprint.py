"""The fingerprint of this machine: its hardware and software, and what of it may be used."""

from __future__ import annotations

import platform
from typing import Any

from pytest_twin._system import hardware
from pytest_twin._system.procfs import GIB, read_bytes
from pytest_twin._system.stdlib import os, sys
from pytest_twin.model.machine_speed import SPEED, speed_document
from pytest_twin.stressors.system import capacity
from pytest_twin.telemetry.calibration import calibrated_speed, kept_speed


def usable_amounts() -> dict[str, float]:
    """Return for each measure of a stressor the amount that is 100 %: CPUs, bytes of memory."""
    memory = capacity.usable_memory()
    cpus = {"cpu_s": capacity.usable_cpus(), "host_cpu_s": float(os.cpu_count() or 1)}
    return {**cpus, **({"peak_bytes": float(memory)} if memory else {})}


def take_fingerprint(*, identify: bool = False, calibrate: bool = False) -> dict[str, Any]:
    """Return the hardware and software of this machine.

    Args:
        identify: Add the names of the host and the user.
        calibrate: Measure the speed of the CPUs in half a second if it was not since the machine started; otherwise it
            is None then.
    """
    from pytest_twin.model.version import __version__

    memory, swap = hardware.memory()
    limit = capacity.memory_limit()
    speed = calibrated_speed() if calibrate else kept_speed()
    return {
        "pytest_twin": __version__,
        "cpu": {
            "model": _cpu_model(),
            "logical": os.cpu_count(),
            "physical": hardware.cores(),
            "allowed": capacity.allowed_cpus(),
            "cgroup_quota": capacity.cpu_quota(),
        },
        SPEED: speed and speed_document(speed),
        "memory": {
            "total_GB": round(memory / GIB, 2),
            "swap_GB": round(swap / GIB, 2),
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
    """Return type and size of the file systems on devices, without mount points, which may contain a user's name."""
    disks = [
        {"device": _device(path), "type": kind, "size_GB": round(size / GIB, 1)}
        for path, kind, size in hardware.file_systems()
    ]
    return [disk for at, disk in enumerate(disks) if disk not in disks[:at]]


def _device(path: str) -> str:
    """Return the name of a device; ``dm`` for a volume, which installers name after the host."""
    return "dm" if path.startswith("/dev/mapper/") else os.path.basename(path)


def _packages() -> dict[str, str]:
    """Return the versions of packages by name, from the names of their folders, since reading metadata takes long."""
    found: dict[str, str] = {}
    for folder in sys.path:
        try:
            names = os.listdir(folder or os.curdir)
        except OSError:
            continue
        for name in names:
            if name.endswith(".dist-info"):
                package, _, version = name.removesuffix(".dist-info").rpartition("-")
                found.setdefault(package.replace("_", "-"), version)  # Python imports the first one on the path
    return dict(sorted(found.items()))


def _user() -> str | None:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return None
