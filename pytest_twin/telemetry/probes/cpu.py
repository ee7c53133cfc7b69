"""CPU of the host, from /proc/stat (proc_stat(5)).

The total is 1 - idle / (wall time * CPUs): a busy tick is charged to the process that runs at the tick, which misses
any load in step with the ticks; idle time is exact.
"""

from __future__ import annotations

import os

from pytest_twin._system.procfs import LINUX, PROC, TICKS, ProcFile, read_bytes
from pytest_twin.model.columns import Column
from pytest_twin.telemetry.counters import OFTEN_S, CounterDelta

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_twin.model.columns import Value
    from pytest_twin.telemetry.probes import ProbeContext

EVERY_S = OFTEN_S  # the kernel counts in ticks of 10 ms: over a few of them shares are not reliable
COLUMNS = (
    Column(
        "cpu_percent", "%", "Share of the CPU time of the whole host that was not idle.", 1, legacy=1, window_s=EVERY_S
    ),
    Column("cpu_count_logical", "", "Number of logical CPUs of the host.", 0, legacy=2),
    Column("cpu_count_physical", "", "Number of physical cores of the host.", 0, legacy=3),
    Column("cpu_user_percent", "%", "Share of CPU time spent in user mode.", 1, window_s=EVERY_S),
    Column(
        "cpu_system_percent", "%", "Share of CPU time spent in the kernel, including interrupts.", 1, window_s=EVERY_S
    ),
    Column("cpu_iowait_percent", "%", "Share of CPU time spent idle while waiting for a disk.", 1, window_s=EVERY_S),
    Column(
        "cpu_steal_percent", "%", "Share of CPU time that the hypervisor gave to other guests.", 1, window_s=EVERY_S
    ),
)


def probe(context: ProbeContext) -> LinuxCpu | PortableCpu:  # noqa: ARG001
    """Return the probe for this machine."""
    return LinuxCpu() if LINUX else PortableCpu()


class LinuxCpu:
    """Reads /proc with one descriptor kept open."""

    every_s = EVERY_S

    def __init__(self, proc: str = PROC) -> None:
        self._stat = ProcFile(f"{proc}/stat")
        self._logical = os.cpu_count() or 1
        self._physical = _cores(read_bytes(f"{proc}/cpuinfo"))
        self._growth = CounterDelta()

    def read(self, at: float) -> Sequence[Value]:
        """Return one value for each column."""
        fields = self._stat.start().split(None, 9)
        if len(fields) < 9:
            return (None, self._logical, self._physical, None, None, None, None)
        _, user, nice, system, idle, iowait, irq, softirq, steal = fields[:9]
        waiting = int(iowait)
        counters = (
            int(idle) + waiting,
            int(user) + int(nice),
            int(system) + int(irq) + int(softirq),
            waiting,
            int(steal),
        )
        unused, of_users, of_kernel, waited, stolen = self._growth.shares(counters, at, TICKS * self._logical)
        total = None if unused is None else 100.0 - unused
        return total, self._logical, self._physical, of_users, of_kernel, waited, stolen


class PortableCpu:
    """Reads the same values with psutil."""

    every_s = EVERY_S

    def __init__(self) -> None:
        import psutil

        self._times = psutil.cpu_times
        self._logical = psutil.cpu_count() or None
        self._physical = psutil.cpu_count(logical=False)
        self._growth = CounterDelta()

    def read(self, at: float) -> Sequence[Value]:
        """Return one value for each column."""
        times = self._times()
        iowait, steal = getattr(times, "iowait", None), getattr(times, "steal", None)
        kernel = times.system + sum(getattr(times, name, 0.0) for name in ("irq", "softirq", "interrupt", "dpc"))
        counters = (times.idle + (iowait or 0.0), times.user + getattr(times, "nice", 0.0), kernel, iowait, steal)
        unused, *parts = self._growth.shares(counters, at, self._logical or 1)
        return None if unused is None else 100.0 - unused, self._logical, self._physical, *parts


def _cores(cpuinfo: bytes) -> int | None:
    """Return the number of distinct (socket, core) pairs; None if the machine does not report them."""
    cores = set()
    socket = b""
    for line in cpuinfo.splitlines():
        name, _, value = line.partition(b":")
        if name.startswith(b"physical id"):
            socket = value
        elif name.startswith(b"core id"):
            cores.add((socket, value))
    return len(cores) or None
