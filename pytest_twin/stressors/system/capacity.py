"""CPUs and memory that this process may use, within its affinity and the limits of its cgroups.

Sources: Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/{memory,cpusets}.rst of the kernel; proc_meminfo(5).
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # the sampler imports this, and next to nothing besides
if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 1 << 20
READ_SIZE = 1 << 16  # far more than the size of these files, which the kernel returns in one read
UNLIMITED = 1 << 60  # cgroup v1 writes "no limit" as the largest number of pages


def usable_cpus() -> float:
    """Return the number of CPUs that this process may use; a fraction where a cgroup has a quota."""
    quota = cpu_quota()
    allowed = float(allowed_cpus())
    return allowed if quota is None else min(allowed, quota)


def allowed_cpus(process: int = 0) -> int:
    """Return the number of CPUs that a process may run on; 0 is this process.

    Raises:
        ProcessLookupError: There is no such process.
    """
    if sys.platform == "linux":
        return len(os.sched_getaffinity(process))
    return os.cpu_count() or 1


def usable_memory() -> int | None:
    """Return the bytes of memory that this process may use in total; None where it is not known."""
    total = _meminfo("MemTotal")
    limit = memory_limit()
    return min((value for value in (total, limit) if value is not None), default=None)


def total_swap() -> int:
    """Return the bytes of swap space that the machine has; 0 where it is not known."""
    return _meminfo("SwapTotal") or 0


def available_memory() -> int | None:
    """Return the bytes that can be allocated without swapping anything out; None where it is not known."""
    free = [value for value in (_meminfo("MemAvailable"), _cgroup_headroom()) if value is not None]
    return min(free, default=None)


def memory_reserve(total: int) -> int:
    """Return the bytes that a memory load reserves for other processes, at most half of the total."""
    return min(max(256 * MIB, total // 20), total // 2)


def disk_reserve(total: int) -> int:
    """Return the bytes of a disk that a load reserves for other processes, at most half of the total."""
    return min(max(256 * MIB, total // 50), total // 2)


def memory_limit() -> int | None:
    """Return the lowest memory limit of this process's cgroups in bytes, None if there is none."""
    return min(memory_limits().values(), default=None)


def memory_limits(process: int = 0) -> dict[str, int]:
    """Return the memory limits of a process's cgroups and their parents, in bytes by folder."""
    return {
        folder: limit
        for folder in (*folders("memory", process), *folders("", process))
        for limit in (number(folder, "memory.max"), number(folder, "memory.limit_in_bytes"))
        if limit is not None and limit < UNLIMITED
    }


def cpu_quota() -> float | None:
    """Return the lowest CPU quota of this process's cgroups, in CPUs; None if there is none."""
    return min(cpu_quotas().values(), default=None)


def cpu_quotas(process: int = 0) -> dict[str, float]:
    """Return the CPU quotas of a process's cgroups and their parents, in CPUs by folder."""
    quotas = {}
    for folder in (*folders("cpu", process), *folders("", process)):
        quota = text(folder, "cpu.max").split() or [text(folder, "cpu.cfs_quota_us").strip(), "100000"]
        period = number(folder, "cpu.cfs_period_us") or int(quota[1])
        if quota[0].isdecimal():
            quotas[folder] = int(quota[0]) / period
    return quotas


def oom_kills() -> int | None:
    """Return the number of processes of this cgroup that the OOM killer has killed; None where it is not counted."""
    found = (oom_kills_in(folder) for folder in (*folders("memory"), *folders("")))
    return next((kills for kills in found if kills is not None), None)


def oom_kills_in(folder: str) -> int | None:
    """Return the same number of the cgroup in a folder."""
    found = (counts(folder, name).get("oom_kill") for name in ("memory.events", "memory.oom_control"))
    return next((kills for kills in found if kills is not None), None)


def _cgroup_headroom() -> int | None:
    """Return the bytes left below the lowest limit, with page cache that can be dropped as free."""
    headrooms = []
    for folder in (*folders("memory"), *folders("")):
        limits = [number(folder, name) for name in ("memory.max", "memory.high", "memory.limit_in_bytes")]
        limit = min((each for each in limits if each is not None), default=UNLIMITED)
        used = [number(folder, name) for name in ("memory.current", "memory.usage_in_bytes")]
        usage = next((each for each in used if each is not None), None)
        if usage is not None and limit < UNLIMITED:
            stat = counts(folder, "memory.stat")
            cache = stat.get("total_inactive_file") or stat.get("inactive_file") or 0
            headrooms.append(max(0, limit - usage + cache))
    return min(headrooms, default=None)


def folders(controller: str, process: int = 0) -> Iterator[str]:
    """Yield the cgroup folders of a process for a v1 controller (``""`` is the v2 hierarchy), its own first."""
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
    """Return the number in a kernel file; None if there is no such file, or no number in it."""
    found = text(folder, name).strip()
    return int(found) if found.isdecimal() else None


def counts(folder: str, name: str) -> dict[str, int]:
    """Return the numbers in a kernel file that has a name and a number on each line; none if there is no such file."""
    return {key: int(value) for key, value in (line.split() for line in text(folder, name).splitlines())}


def text(folder: str, name: str) -> str:
    """Return the text of a kernel file; empty if there is no such file."""
    try:
        file = os.open(f"{folder}/{name}", os.O_RDONLY)
    except OSError:
        return ""
    try:
        return os.read(file, READ_SIZE).decode("utf-8", "replace")
    except OSError:
        return ""
    finally:
        os.close(file)
