"""CPU of the host, from /proc/stat (proc_stat(5)).

The total is 1 - idle / (wall time * CPUs): busy ticks are charged to whoever runs when the tick comes, which misses
any load that keeps step with it; idle time is exact.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from pytest_twin.model.columns import Column, Value
from pytest_twin.probes import Context
from pytest_twin.probes.kernel import LINUX, PROC, TICKS, Delta, KeptOpen, read_bytes

COLUMNS = (
    Column("cpu_percent", "%", "CPU time of the whole host that was not idle.", 1, legacy=1),
    Column("cpu_count_logical", "", "CPUs that the system has.", 0, legacy=2),
    Column("cpu_count_physical", "", "Cores that the system has.", 0, legacy=3),
    Column("cpu_user_percent", "%", "Share spent in programs.", 1),
    Column("cpu_system_percent", "%", "Share spent in the kernel, interrupts included.", 1),
    Column("cpu_iowait_percent", "%", "Share idle while a disk was waited for.", 1),
    Column("cpu_steal_percent", "%", "Share taken by the hypervisor for other guests.", 1),
)


def probe(context: Context) -> Linux | Portable:  # noqa: ARG001
    """The reader for this machine."""
    return Linux() if LINUX else Portable()


class Linux:
    """One descriptor kept open."""

    def __init__(self, proc: str = PROC) -> None:
        self._stat = KeptOpen(f"{proc}/stat")
        self._logical = os.cpu_count() or 1
        self._physical = _cores(read_bytes(f"{proc}/cpuinfo"))
        self._delta = Delta()

    def read(self, at: float) -> Sequence[Value]:
        """One value a column."""
        fields = self._stat.read().split(None, 9)
        if len(fields) < 9:
            return (None, self._logical, self._physical, None, None, None, None)
        user, nice, system, idle, iowait, irq, softirq, steal = (int(field) / TICKS for field in fields[1:9])
        idle_share = self._share("idle", idle + iowait, at)
        return (
            None if idle_share is None else 100.0 - idle_share,
            self._logical,
            self._physical,
            self._share("user", user + nice, at),
            self._share("system", system + irq + softirq, at),
            self._share("iowait", iowait, at),
            self._share("steal", steal, at),
        )

    def _share(self, name: str, seconds: float, at: float) -> float | None:
        return self._delta.share(name, seconds / self._logical, at)


class Portable:
    """The same from psutil."""

    def __init__(self) -> None:
        import psutil

        self._times = psutil.cpu_times
        self._logical = psutil.cpu_count() or None
        self._physical = psutil.cpu_count(logical=False)
        self._delta = Delta()

    def read(self, at: float) -> Sequence[Value]:
        """One value a column."""
        times = self._times()
        idle = times.idle + getattr(times, "iowait", 0.0)
        idle_share = self._share("idle", idle, at)
        kernel = times.system + sum(getattr(times, name, 0.0) for name in ("irq", "softirq", "interrupt", "dpc"))
        return (
            None if idle_share is None else 100.0 - idle_share,
            self._logical,
            self._physical,
            self._share("user", times.user + getattr(times, "nice", 0.0), at),
            self._share("system", kernel, at),
            self._share("iowait", getattr(times, "iowait", None), at),
            self._share("steal", getattr(times, "steal", None), at),
        )

    def _share(self, name: str, seconds: float | None, at: float) -> float | None:
        return self._delta.share(name, None if seconds is None else seconds / (self._logical or 1), at)


def _cores(cpuinfo: bytes) -> int | None:
    """Distinct (socket, core) pairs; machines that do not tell have None."""
    cores = set()
    socket = b""
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(b":")
        if name.startswith(b"physical id"):
            socket = value
        elif name.startswith(b"core id"):
            cores.add((socket, value))
    return len(cores) or None
