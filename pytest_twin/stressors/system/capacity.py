"""What this process may use of the machine: affinity and cgroup limits counted.

Sources: Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/{memory,cpusets}.rst of the kernel; proc_meminfo(5).
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # the sampler imports this, and next to nothing besides
if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 1 << 20
LONGEST = 1 << 16  # far more than these files have, which the kernel hands out in one piece
UNLIMITED = 1 << 60  # cgroup v1 writes "no limit" as the largest number of pages


def usable_cpus() -> float:
    """CPUs' worth of time that this process may use; a cgroup quota can make it a fraction."""
    quota = cpu_quota()
    allowed = float(allowed_cpus())
    return allowed if quota is None else min(allowed, quota)


def allowed_cpus(process: int = 0) -> int:
    """CPUs that a process, 0 is this one, may run on.

    Raises:
        ProcessLookupError: There is no such process.
    """
    if sys.platform == "linux":
        return len(os.sched_getaffinity(process))
    return os.cpu_count() or 1


def usable_memory() -> int | None:
    """Bytes of memory that this process could ever have; None where the platform does not say."""
    total = _meminfo("MemTotal")
    limit = memory_limit()
    return min((value for value in (total, limit) if value is not None), default=None)


def available_memory() -> int | None:
    """Bytes that can still be made resident without pushing anything out; None where the platform does not say."""
    free = [value for value in (_meminfo("MemAvailable"), _cgroup_headroom()) if value is not None]
    return min(free, default=None)


def memory_reserve(total: int) -> int:
    """Bytes that a memory load leaves to everybody else: half of what there is at most."""
    return min(max(256 * MIB, total // 20), total // 2)


def disk_reserve(total: int) -> int:
    """Bytes of a disk that a load leaves to everybody else: half of what there is at most."""
    return min(max(256 * MIB, total // 50), total // 2)


def memory_limit() -> int | None:
    """The tightest memory limit of this process's cgroups, in bytes."""
    return min(memory_limits().values(), default=None)


def memory_limits(process: int = 0) -> dict[str, int]:
    """The memory limits of a process's cgroups and of those that they are in, in bytes, by their folders."""
    return {
        folder: limit
        for folder in (*folders("memory", process), *folders("", process))
        for limit in (number(folder, "memory.max"), number(folder, "memory.limit_in_bytes"))
        if limit is not None and limit < UNLIMITED
    }


def cpu_quota() -> float | None:
    """CPUs' worth of time that this process's cgroups allow."""
    return min(cpu_quotas().values(), default=None)


def cpu_quotas(process: int = 0) -> dict[str, float]:
    """CPUs' worth of time that a process's cgroups allow, and those that they are in, by their folders."""
    quotas = {}
    for folder in (*folders("cpu", process), *folders("", process)):
        quota = text(folder, "cpu.max").split() or [text(folder, "cpu.cfs_quota_us").strip(), "100000"]
        period = number(folder, "cpu.cfs_period_us") or int(quota[1])
        if quota[0].isdecimal():
            quotas[folder] = int(quota[0]) / period
    return quotas


def oom_kills() -> int | None:
    """Processes of this process's own cgroup that were killed for want of memory; None where nobody counts them."""
    for folder in (*folders("memory"), *folders("")):
        for name in ("memory.events", "memory.oom_control"):
            counts = dict(line.split() for line in text(folder, name).splitlines())
            if "oom_kill" in counts:
                return int(counts["oom_kill"])
    return None


def _cgroup_headroom() -> int | None:
    """Bytes below the tightest limit, page cache that can be dropped counted as free."""
    rooms = []
    for folder in (*folders("memory"), *folders("")):
        limits = [number(folder, name) for name in ("memory.max", "memory.high", "memory.limit_in_bytes")]
        limit = min((each for each in limits if each is not None), default=UNLIMITED)
        used = [number(folder, name) for name in ("memory.current", "memory.usage_in_bytes")]
        taken = next((each for each in used if each is not None), None)
        if taken is not None and limit < UNLIMITED:
            stat = dict(line.split() for line in text(folder, "memory.stat").splitlines())
            cache = int(stat.get("total_inactive_file") or stat.get("inactive_file") or 0)
            rooms.append(max(0, limit - taken + cache))
    return min(rooms, default=None)


def folders(controller: str, process: int = 0) -> Iterator[str]:
    """The cgroup folders of a process for one v1 controller (``""``: the v2 hierarchy), its own first."""
    for line in text(f"/proc/{process or 'self'}", "cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controller not in controllers.split(","):
            continue
        for mount in (f"/sys/fs/cgroup/{controller}".rstrip("/"), "/sys/fs/cgroup/unified"):
            inside = path.rstrip("/")
            while inside:
                yield mount + inside
                inside = inside.rpartition("/")[0]
            yield mount


def _meminfo(field: str) -> int | None:
    for line in text("/proc", "meminfo").splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    return None


def number(folder: str, name: str) -> int | None:
    """The number that a file of the kernel holds; None where there is no such file, or no limit in it."""
    found = text(folder, name).strip()
    return int(found) if found.isdecimal() else None


def text(folder: str, name: str) -> str:
    """What a file of the kernel holds; nothing where there is no such file."""
    try:
        file = os.open(f"{folder}/{name}", os.O_RDONLY)
    except OSError:
        return ""
    try:
        return os.read(file, LONGEST).decode("utf-8", "replace")
    except OSError:
        return ""
    finally:
        os.close(file)
