"""CPU time, limited by the quota of a control group (Linux only)."""

from __future__ import annotations

import sys

from pytest_twin.stressors.constraint import control_group, samples, target
from pytest_twin.stressors.system.capacity import counts, number

assert sys.platform == "linux"  # noqa: S101 - for the type checker: this module is for Linux only

MICROSECONDS = 1_000_000
LEAST_QUOTA_US = 1000
MOST_PERIOD_US = 1_000_000
RELEASE_EVERY_S = 0.5


class CpuQuota:
    """CPU time in each period (cpu.max, or cpu.cfs_quota_us of version 1).

    Attributes:
        group: The group.
        cpus: The CPUs' worth of time; less than requested below a group with a smaller quota.
        period_s: The period; longer than requested where the kernel takes no quota as short.
    """

    def __init__(self, group: control_group.ControlGroup, cpus: float, period_s: float) -> None:
        self.group = group
        self.cpus = cpus
        if group.version == 1 and (most := _lowest_quota(group.parent)) is not None:
            self.cpus = min(cpus, most)
        period = max(round(period_s * MICROSECONDS), round(LEAST_QUOTA_US / self.cpus + 0.5))
        self._period_us = min(period, MOST_PERIOD_US)
        self._quota_us = max(LEAST_QUOTA_US, int(self.cpus * self._period_us))  # rounded down, to stay below a parent's
        self.period_s = self._period_us / MICROSECONDS

    @property
    def stat(self) -> str:
        """The file with the time in which the group was throttled."""
        return f"{self.group.folder}/cpu.stat"

    def set(self) -> None:
        """Set the quota.

        Raises:
            OSError: The kernel does not accept it.
        """
        if self.group.version == 2:
            self.group.write("cpu.max", f"{self._quota_us} {self._period_us}")
        else:
            self.group.write("cpu.cfs_period_us", str(self._period_us))
            self.group.write("cpu.cfs_quota_us", str(self._quota_us))

    def throttled(self) -> tuple[int, float]:
        """Return the number of periods in which the group was throttled, and for how many seconds in total."""
        stat = counts(self.group.folder, "cpu.stat")
        return stat.get("nr_throttled", 0), stat.get("throttled_usec", 0) / 1e6 + stat.get("throttled_time", 0) / 1e9


def _lowest_quota(folder: str) -> float | None:
    """Return the lowest quota of a group of version 1 and those above it, in CPUs; None if there is none."""
    found: list[float] = []
    while (period := number(folder, "cpu.cfs_period_us")) is not None:
        quota = number(folder, "cpu.cfs_quota_us")  # -1 is no number here
        if quota is not None:
            found.append(quota / period)
        folder = folder.rpartition("/")[0]
    return min(found, default=None)


class GroupCpu:
    """CPU time, limited by the quota of a control group."""

    def __init__(self, tests: target.Target) -> None:
        """Put it in force.

        Raises:
            OSError: That is not possible here.
        """
        options = tests.options
        group = self._usage = tests.groups.find("cpu")
        self.backend = group.backend
        self._quota = CpuQuota(group, options["cpu"], options.get("period") or samples.DEFAULT_PERIOD_S)
        self._quota.set()
        if group.version == 1 and not group.read("cpuacct.usage"):
            self._usage = tests.groups.find("cpuacct")
            self._usage.adopt(tests.outside)
        group.adopt(tests.outside)
        self._is_reduced = self._quota.cpus < options["cpu"]  # within a tighter group, which is no fault
        self._release_at = 0.0
        self._samples = samples.PeriodSamples(self._quota.period_s)
        self.restart()

    def restart(self) -> None:
        """Count figures from now on."""
        self._began_s = self._usage_s()
        self._stalls, self._throttled_s = self._quota.throttled()
        self._samples = samples.PeriodSamples(self._quota.period_s)

    def step(self, now: float) -> float:
        """Sample the CPU seconds of the period."""
        if now >= self._release_at:
            self._release_at = now + RELEASE_EVERY_S
            for group in (self._quota.group, self._usage):
                group.release_helpers()
        return self._samples.add(now, self._usage_s())

    def lift(self) -> None:
        """Set no quota."""
        self._quota.group.lift("cpu")

    def resume(self) -> None:
        """Set the quota again."""
        self._samples.skip()
        self._quota.set()

    def figures(self) -> target.Figures:
        """Return the CPU seconds and how long the processes were throttled."""
        stalls, throttled_s = self._quota.throttled()
        found: target.Figures = {
            "tests_cpu_s": self._usage_s() - self._began_s,
            "throttled_s": throttled_s - self._throttled_s,
            "stalls": stalls - self._stalls,
            "period_s": self._quota.period_s,
            "stat": self._quota.stat,
            "stat_began_s": self._throttled_s,
            **self._samples.figures(),
        }
        return {**found, "effective_cpus": self._quota.cpus} if self._is_reduced else found

    def _usage_s(self) -> float:
        if self._usage.version == 1:
            return int(self._usage.read("cpuacct.usage") or 0) / 1e9
        return counts(self._usage.folder, "cpu.stat").get("usage_usec", 0) / 1e6
