"""Limits and usage of the control group (cgroup) of the run; in a container, of the container.

Of the nested groups that the run is in, it is the one with the tightest limit, or the innermost one if there is no
limit. Sources: Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/{cpuacct,memory}.rst and
scheduler/sched-bwc.rst of the kernel.

All is read twice a second: the kernel sums some figures over all CPUs and groups at each reading, and counts throttling
at the end of each period of the quota, which is mostly 0.1 s long.
"""

from __future__ import annotations

import os

from pytest_twin._system.procfs import GIB, PROC, SHORT, ProcFile, number, numbers_agree, read_bytes
from pytest_twin.model.columns import Column
from pytest_twin.stressors.system import capacity
from pytest_twin.telemetry.counters import SELDOM_S, CounterDelta
from pytest_twin.telemetry.throttled_time import parse_throttled_s

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
FIND_EVERY_S = 5.0  # limits change seldom, and many files may have one
SELF = 0  # this process, which is in the same groups as the run that started it
CONTROLLERS = ("cpu", "memory", "")  # "": of version 2
LIMIT_FILES = (
    "cgroup.controllers",
    "cpu.max",
    "cpu.cfs_quota_us",
    "cpu.cfs_period_us",
    "memory.max",
    "memory.limit_in_bytes",
)


def probe(context: ProbeContext) -> Cgroup:
    """Return the probe for this machine; systems without cgroups have no limits."""
    return Cgroup(context.root if numbers_agree() else SELF)


class Cgroup:
    """Reads the groups of one process; the groups are looked up every `FIND_EVERY_S`, their files kept open."""

    every_s = SELDOM_S

    def __init__(self, process: int) -> None:
        self._process = process
        self._cpus = os.cpu_count() or 1
        self._usable: float | None = None
        self._quota: float | None = None
        self._limit: float | None = None
        self._cpu_s, self._throttled_s = (
            CgroupFigure(cpu_s, "cpuacct.usage", "cpu.stat"),
            CgroupFigure(parse_throttled_s, "cpu.stat"),
        )
        self._usage, self._cache = (
            CgroupFigure(number, "memory.usage_in_bytes", "memory.current"),
            CgroupFigure(cache, "memory.stat"),
        )
        self._kills = CgroupFigure(kills, "memory.oom_control", "memory.events")
        self._find_at = float("-inf")
        self._limit_files: list[ProcFile] = []
        self._limit_texts: list[bytes] = []

    def read(self, at: float) -> Sequence[Value]:
        """Return one value for each column."""
        if at >= self._find_at:
            self._find_at = at + FIND_EVERY_S
            self._update()
        return (
            self._usable,
            self._quota,
            self._cpu_growth.shares((self._cpu_s.read(),), at, self._cpus)[0],
            self._throttled_growth.shares((self._throttled_s.read(),), at)[0],
            None if self._limit is None else self._limit / GIB,
            self._memory_used(),
            self._kills_growth.amounts((self._kills.read(),), at)[0],
        )

    def _memory_used(self) -> float | None:
        """Return the memory less the inactive file cache, in GiB, as docker stats and the kubelet do."""
        usage, cache = self._usage.read(), self._cache.read()
        if usage is None or cache is None:
            return None
        return (usage - cache) / GIB if usage > cache else 0.0

    def _update(self) -> None:
        """Update the usable CPUs, and find the groups again if a file of limits has changed."""
        texts = [file.read() for file in self._limit_files]
        if not texts or texts != self._limit_texts:
            self._find()
        try:
            allowed = capacity.allowed_cpus(self._process)
            self._usable = allowed if self._quota is None else min(allowed, self._quota)
        except OSError:  # the process is gone
            self._usable = None

    def _find(self) -> None:
        """Find the limits, the groups that have them, and the files in which limits would change."""
        for file in self._limit_files:
            file.close()
        places = [folder for controller in CONTROLLERS for folder in capacity.folders(controller, self._process)]
        paths = (f"{PROC}/{self._process}/cgroup", *(f"{place}/{name}" for place in places for name in LIMIT_FILES))
        self._limit_files = [kept for path in dict.fromkeys(paths) if (kept := ProcFile(path)).fd >= 0]
        self._limit_texts = [file.read() for file in self._limit_files]
        quotas, limits = capacity.cpu_quotas(self._process), capacity.memory_limits(self._process)
        self._quota, self._limit = min(quotas.values(), default=None), min(limits.values(), default=None)
        cpu, accounts = self._folders(quotas, "cpu"), self._folders(quotas, "cpuacct")
        memory = self._folders(limits, "memory")
        if self._cpu_s.find(accounts):
            self._cpu_growth = CounterDelta()
        if self._throttled_s.find(cpu):
            self._throttled_growth = CounterDelta()
        self._usage.find(memory)
        self._cache.find(memory)
        if self._kills.find(memory):
            self._kills_growth = CounterDelta()

    def _folders(self, limits: Mapping[str, float], controller: str) -> list[str]:
        """Return the folder with the tightest limit, and then those of the process."""
        own = (*capacity.folders(controller, self._process), *capacity.folders("", self._process))
        return [*sorted(limits, key=lambda folder: limits[folder])[:1], *own]


class CgroupFigure:
    """A figure of the first group that has it; its file is kept open."""

    def __init__(self, parse: Callable[[bytes], Counter], *names: str) -> None:
        self._parse, self._names = parse, names
        self._path: str | None = None
        self._file = ProcFile("")
        self._read = self._file.read
        self._text, self._value = b"", parse(b"")

    def find(self, folders: Iterable[str]) -> bool:
        """Find that group; return whether it is another one than before."""
        paths = (f"{folder}/{name}" for folder in folders for name in self._names)
        path = next((path for path in paths if self._parse(read_bytes(path)) is not None), "")
        if path == self._path:
            return False
        self._file.close()
        self._path, self._file = path, ProcFile(path)
        is_short = len(self._file.read()) < SHORT // 2  # and stays it, since only its numbers grow
        self._read = self._file.start if is_short else self._file.read
        return True

    def read(self) -> Counter:
        """Return the current figure."""
        text = self._read()
        if text != self._text:
            self._text, self._value = text, self._parse(text)
        return self._value


def cpu_s(text: bytes) -> float | None:
    """Return CPU seconds, from cpuacct.usage of version 1 or cpu.stat of version 2."""
    is_second = text[:1] == b"u"  # not `in`, which raises an exception within before it searches bytes
    return _scaled(_field(text, b"usage_usec"), 1e-6) if is_second else _scaled(number(text), 1e-9)


def cache(text: bytes) -> int | None:
    """Return the bytes of the inactive file cache, with those of nested groups, from memory.stat."""
    total = _field(text, b"total_inactive_file")
    return _field(text, b"inactive_file") if total is None else total


def kills(text: bytes) -> int | None:
    """Return the processes killed for lack of memory, from memory.oom_control (version 1) or memory.events (2)."""
    return _field(text, b"oom_kill")


def _field(text: bytes, name: bytes) -> int | None:
    """Return the number after a name at the start of a line."""
    _, found, rest = (b"\n" + text).partition(b"\n" + name + b" ")
    return number(rest.partition(b"\n")[0]) if found else None


def _scaled(value: float | None, by: float) -> float | None:
    return None if value is None else value * by
