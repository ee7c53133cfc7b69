"""What the control group (cgroup) of the run allows, and what it uses of it: in a container, the container.

Of the groups that the run is in, one within the other, it is the one with the tightest limit, or the innermost where
there is no limit. Sources: Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/{cpuacct,memory}.rst and
scheduler/sched-bwc.rst of the kernel.

All is read twice a second: some figures are added up from all CPUs and groups when they are asked for, and throttling
is told at the end of each period of the quota, which is mostly 0.1 s long.
"""

from __future__ import annotations

import os

from pytest_twin._system.procfs import GIB, PROC, ProcFile, number, numbers_agree, read_bytes
from pytest_twin.model.columns import Column
from pytest_twin.stressors.system import capacity
from pytest_twin.telemetry.counters import SELDOM_S, CounterDelta

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pytest_twin.model.columns import Value
    from pytest_twin.telemetry.counters import Counter
    from pytest_twin.telemetry.probes import ProbeContext

COLUMNS = (
    Column(
        "usable_cpus",
        "",
        "CPUs that the run may use, by its CPU affinity and the quota of its cgroup; may be a fraction.",
    ),
    Column(
        "cgroup_cpu_limit",
        "",
        "CPUs that the quota of the run's cgroup allows; may be a fraction; empty without a quota.",
    ),
    Column(
        "cgroup_cpu_percent",
        "%",
        "CPU time of the cgroup as a share of all CPUs of the host, over half a second.",
        window_s=SELDOM_S,
    ),
    Column(
        "cgroup_throttled_percent",
        "%",
        "Share of time for which the quota throttled tasks, summed over CPUs, at most 100; over half a second.",
        window_s=SELDOM_S,
    ),
    Column("cgroup_memory_limit_GB", "GiB", "Memory limit of the run's cgroup; empty without a limit.", 3),
    Column(
        "cgroup_memory_used_GB",
        "GiB",
        "Memory in use by the cgroup without its inactive file cache; read twice a second.",
        3,
    ),
    Column(
        "cgroup_oom_kills",
        "",
        "Processes of the cgroup killed by the OOM killer since the last row; read twice a second.",
        0,
        is_amount=True,
        window_s=SELDOM_S,
    ),
)
LOOK_EVERY_S = 5.0  # limits may change, but seldom do, and many files may hold one
SELF = 0  # whom the run started, and who is in the same groups
CONTROLLERS = ("cpu", "memory", "")  # "": of version 2
SIGNS = (
    "cgroup.controllers",
    "cpu.max",
    "cpu.cfs_quota_us",
    "cpu.cfs_period_us",
    "memory.max",
    "memory.limit_in_bytes",
)


def probe(context: ProbeContext) -> Cgroup:
    """The reader for this machine; other systems have nothing like it, and all CPUs are usable."""
    return Cgroup(context.root if numbers_agree() else SELF)


class Cgroup:
    """The groups of one process; looked up now and then, their files kept open in between."""

    every_s = SELDOM_S

    def __init__(self, process: int) -> None:
        self._process = process
        self._cpus = os.cpu_count() or 1
        self._usable: float | None = None
        self._quota: float | None = None
        self._limit: float | None = None
        self._cpu_s, self._throttled_s = (
            CgroupFigure(cpu_s, "cpuacct.usage", "cpu.stat"),
            CgroupFigure(throttled_s, "cpu.stat"),
        )
        self._usage, self._cache = (
            CgroupFigure(number, "memory.usage_in_bytes", "memory.current"),
            CgroupFigure(cache, "memory.stat"),
        )
        self._kills = CgroupFigure(kills, "memory.oom_control", "memory.events")
        self._look_at = float("-inf")
        self._signs: list[ProcFile] = []  # files that say what limits there are
        self._said: list[bytes] = []

    def read(self, at: float) -> Sequence[Value]:
        """One value a column."""
        if at >= self._look_at:
            self._look_at = at + LOOK_EVERY_S
            self._look()
        return (
            self._usable,
            self._quota,
            self._spent.shares((self._cpu_s.read(),), at, self._cpus)[0],
            self._held.shares((self._throttled_s.read(),), at)[0],
            None if self._limit is None else self._limit / GIB,
            self._memory_used(),
            self._lost.amounts((self._kills.read(),), at)[0],
        )

    def _memory_used(self) -> float | None:
        """What cannot be dropped at once, as docker stats and the kubelet have it."""
        usage, cache = self._usage.read(), self._cache.read()
        return None if usage is None or cache is None else max(0, usage - cache) / GIB

    def _look(self) -> None:
        """Look what may be used now, and find the groups anew where something else is said of them than before."""
        said = [sign.read() for sign in self._signs]
        if not said or said != self._said:
            self._find()
        try:
            allowed = capacity.allowed_cpus(self._process)
            self._usable = allowed if self._quota is None else min(allowed, self._quota)
        except OSError:  # the process is gone
            self._usable = None

    def _find(self) -> None:
        """Find out what the limits are, which groups have them, and which files would tell of others."""
        for sign in self._signs:
            sign.close()
        places = [folder for controller in CONTROLLERS for folder in capacity.folders(controller, self._process)]
        signs = (f"{PROC}/{self._process}/cgroup", *(f"{place}/{name}" for place in places for name in SIGNS))
        self._signs = [kept for path in dict.fromkeys(signs) if (kept := ProcFile(path)).fd >= 0]
        self._said = [sign.read() for sign in self._signs]
        quotas, limits = capacity.cpu_quotas(self._process), capacity.memory_limits(self._process)
        self._quota, self._limit = min(quotas.values(), default=None), min(limits.values(), default=None)
        cpu, accounts = self._folders(quotas, "cpu"), self._folders(quotas, "cpuacct")
        memory = self._folders(limits, "memory")
        if self._cpu_s.look(accounts):
            self._spent = CounterDelta()
        if self._throttled_s.look(cpu):
            self._held = CounterDelta()
        self._usage.look(memory)
        self._cache.look(memory)
        if self._kills.look(memory):
            self._lost = CounterDelta()

    def _folders(self, limits: Mapping[str, float], controller: str) -> list[str]:
        """The folder with the tightest limit, and then those of the process."""
        own = (*capacity.folders(controller, self._process), *capacity.folders("", self._process))
        return [*sorted(limits, key=lambda folder: limits[folder])[:1], *own]


class CgroupFigure:
    """A figure of the first group that tells it; its file is kept open."""

    def __init__(self, parse: Callable[[bytes], Counter], *names: str) -> None:
        self._parse, self._names = parse, names
        self._path: str | None = None
        self._file = ProcFile("")

    def look(self, folders: Iterable[str]) -> bool:
        """Find that group; says whether it is another one than before."""
        paths = (f"{folder}/{name}" for folder in folders for name in self._names)
        path = next((path for path in paths if self._parse(read_bytes(path)) is not None), "")
        if path == self._path:
            return False
        self._file.close()
        self._path, self._file = path, ProcFile(path)
        return True

    def read(self) -> Counter:
        """The figure now."""
        return self._parse(self._file.read())


def cpu_s(text: bytes) -> float | None:
    """CPU seconds, from cpuacct.usage of version 1 or cpu.stat of version 2."""
    return _scaled(_field(text, b"usage_usec"), 1e-6) if b"u" in text else _scaled(number(text), 1e-9)


def throttled_s(text: bytes) -> float | None:
    """Seconds for which tasks were held back, on each CPU, from cpu.stat of either version."""
    nanoseconds = _field(text, b"throttled_time")
    return _scaled(_field(text, b"throttled_usec"), 1e-6) if nanoseconds is None else nanoseconds * 1e-9


def cache(text: bytes) -> int | None:
    """Bytes of the inactive part of the file cache, those of groups below included, from memory.stat."""
    total = _field(text, b"total_inactive_file")
    return _field(text, b"inactive_file") if total is None else total


def kills(text: bytes) -> int | None:
    """Processes killed for want of memory, from memory.oom_control of version 1 or memory.events of version 2."""
    return _field(text, b"oom_kill")


def _field(text: bytes, name: bytes) -> int | None:
    """The number behind a name that begins a line."""
    _, found, rest = (b"\n" + text).partition(b"\n" + name + b" ")
    return number(rest.partition(b"\n")[0]) if found else None


def _scaled(value: float | None, by: float) -> float | None:
    return None if value is None else value * by
