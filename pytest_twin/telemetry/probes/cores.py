"""CPU time of each CPU, from /proc/stat (proc_stat(5)); only if requested."""

from __future__ import annotations

import os

from pytest_twin._system.procfs import LINUX, PROC, TICKS, ProcFile, read_bytes
from pytest_twin.model.columns import Column
from pytest_twin.telemetry.counters import ONLY_ONCE, CounterDelta
from pytest_twin.telemetry.probes.cpu import EVERY_S

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_twin.model.columns import Value
    from pytest_twin.telemetry.probes import ProbeContext

COLUMNS = ()
PRESENT = "/sys/devices/system/cpu/present"


def columns(context: ProbeContext) -> tuple[Column, ...]:
    """Return a column for each CPU that is present, online or offline."""
    if not context.per_core:
        return ()
    meaning = "Share of time for which this CPU was not idle; empty while it is offline."
    return tuple(Column(f"cpu{number}_percent", "%", meaning, 1, window_s=EVERY_S) for number in range(_count()))


def probe(context: ProbeContext) -> LinuxCores | PortableCores | NoCores:
    """Return the probe for this machine, if requested."""
    if not context.per_core:
        return NoCores()
    return LinuxCores(_count()) if LINUX else PortableCores(_count())


def is_core_column(name: str) -> bool:
    """Return whether a column is of a single CPU, of this or of another machine."""
    return name.startswith("cpu") and name.endswith("_percent") and name[3:-8].isdecimal()


class NoCores:
    """Stands in where the columns are not requested."""

    every_s = ONLY_ONCE

    def read(self, at: float) -> Sequence[Value]:  # noqa: ARG002
        """Return no values."""
        return ()


class LinuxCores:
    """Reads /proc with one descriptor kept open."""

    every_s = EVERY_S

    def __init__(self, count: int, proc: str = PROC) -> None:
        self._stat = ProcFile(f"{proc}/stat")
        self._busy = BusyShares(count, TICKS)

    def read(self, at: float) -> Sequence[Value]:
        """Return one value for each column."""
        idle: dict[int, float] = {}
        for line in self._stat.read().partition(b"intr")[0].splitlines()[1:]:
            name, *times = line.split(None, 6)
            if len(times) > 4:
                idle[int(name[3:])] = int(times[3]) + int(times[4])  # idle and iowait
        return self._busy.row(idle, at)


class PortableCores:
    """Reads the same values with psutil, which numbers only the online CPUs."""

    every_s = EVERY_S

    def __init__(self, count: int) -> None:
        import psutil

        self._times = psutil.cpu_times
        self._busy = BusyShares(count, 1)

    def read(self, at: float) -> Sequence[Value]:
        """Return one value for each column."""
        times = enumerate(self._times(percpu=True))
        return self._busy.row({number: each.idle + getattr(each, "iowait", 0.0) for number, each in times}, at)


class BusyShares:
    """Computes shares of busy time from idle times."""

    def __init__(self, count: int, unit: float) -> None:
        self._count, self._unit = count, unit
        self._growth = CounterDelta()

    def row(self, idle: Mapping[int, float], at: float) -> list[float | None]:
        """Return a share for each CPU, None for one that is offline."""
        unused = self._growth.shares([idle.get(number) for number in range(self._count)], at, self._unit)
        return [None if share is None else 100.0 - share for share in unused]


def _count() -> int:
    """Return the highest number of a CPU plus one."""
    last = read_bytes(PRESENT).strip().rpartition(b",")[2].rpartition(b"-")[2]
    return int(last) + 1 if last.isdigit() else os.cpu_count() or 1
