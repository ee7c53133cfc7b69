"""Choose what enforces each part of a constraint: the first backend that works here (Linux only)."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from pytest_twin.stressors.constraint import control_group, guardian, limits, samples, stop_signals

assert sys.platform == "linux"  # noqa: S101 - for the type checker: this module is for Linux only

CONTROL_GROUP, STOP_SIGNALS, AFFINITY = "control group", "stop signals", "CPU affinity"
UNDO = {"group": control_group.undo_group, "moved": control_group.undo_move, "enabled": control_group.undo_enabled}


class Part(Protocol):
    """One part of a constraint that is in force.

    Attributes:
        backend: The name of what enforces it.
    """

    backend: str

    def restart(self) -> None:
        """Count figures from now on."""

    def step(self, now: float) -> float:
        """Do what is due at a `time.monotonic`; return when the next is."""
        ...

    def lift(self) -> None:
        """Take the part out of force for a while."""

    def resume(self) -> None:
        """Put it in force again."""

    def figures(self) -> samples.Figures:
        """Return its figures since the restart."""
        ...


class Backends:
    """The parts of one constraint, and what they have changed."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        """Start the guardian.

        Raises:
            OSError: The system has no more processes.
            ValueError: There are no processes to constrain.
        """
        if not options.get("pid"):
            raise ValueError("there is no process to constrain")
        self._options = options
        self._pid: int = options["pid"]
        self._outside = {*options.get("outside", ()), os.getpid(), os.getppid()}
        self._journal = guardian.Journal(UNDO)

    def begin(self) -> list[Part]:
        """Put every part in force and return them.

        Raises:
            ValueError: A part cannot be enforced.
        """
        return [self._begin(resource) for resource in PARTS if self._options.get(resource)]

    def check(self) -> None:
        """Check that the guardian is alive.

        Raises:
            OSError: It has ended.
        """
        self._journal.check()

    def undo(self) -> None:
        """Undo all changes and end the guardian."""
        self._journal.undo()

    def _begin(self, resource: str) -> Part:
        """Put one part in force by the first backend that works."""
        reasons = []
        wanted = self._options.get("backend") or ""
        for backend, begin in PARTS[resource].items():
            if wanted in {"", backend}:
                mark = self._journal.mark()
                try:
                    return begin(self._pid, self._outside, self._options, self._journal)
                except (OSError, ValueError) as error:
                    reasons.append(f"{backend}: {error}")
                    self._journal.roll_back(mark)
        why = "; ".join(reasons) or f"{wanted} cannot do it"
        raise ValueError(f"cannot constrain {resource}: {why}")


class GroupCpu:
    """CPU time, limited by the quota of a control group."""

    def __init__(self, pid: int, outside: set[int], options: Mapping[str, Any], journal: guardian.Journal) -> None:
        """Put it in force.

        Raises:
            OSError: That is not possible here.
        """
        group = control_group.ControlGroup(pid, control_group.find_hierarchy("cpu"), journal)
        group.enable("cpu")
        self.backend = f"{CONTROL_GROUP} v{group.version}"
        self._quota = limits.CpuQuota(group, options["cpu"], options.get("period") or samples.DEFAULT_PERIOD_S)
        self._quota.set()
        self._usage = group
        if group.version == 1 and not group.read("cpuacct.usage"):
            self._usage = control_group.ControlGroup(pid, control_group.find_hierarchy("cpuacct"), journal)
            self._usage.adopt(outside)
        group.adopt(outside)
        self._reduced = self._quota.cpus if self._quota.cpus < options["cpu"] else None
        self._samples = samples.PeriodSamples(self._quota.period_s)
        self.restart()

    def restart(self) -> None:
        """Count figures from now on."""
        self._began_s = self._usage_s()
        self._stalls, self._throttled_s = self._quota.throttled()
        self._samples = samples.PeriodSamples(self._quota.period_s)

    def step(self, now: float) -> float:
        """Sample the CPU seconds of the period."""
        return self._samples.add(now, self._usage_s())

    def lift(self) -> None:
        """Set no quota."""
        self._quota.lift()

    def resume(self) -> None:
        """Set the quota again."""
        self._samples.skip()
        self._quota.set()

    def figures(self) -> samples.Figures:
        """Return the CPU seconds and how long the processes were throttled."""
        stalls, throttled_s = self._quota.throttled()
        found: samples.Figures = {
            "tests_cpu_s": self._usage_s() - self._began_s,
            "throttled_s": throttled_s - self._throttled_s,
            "stalls": stalls - self._stalls,
            "period_s": self._quota.period_s,
            "stat": self._quota.stat,
            **self._samples.figures(),
        }
        return found if self._reduced is None else {**found, "reduced": self._reduced}

    def _usage_s(self) -> float:
        if self._usage.version == 1:
            return int(self._usage.read("cpuacct.usage") or 0) / 1e9
        counts = dict(line.split() for line in self._usage.read("cpu.stat").splitlines())
        return int(counts.get("usage_usec", 0)) / 1e6


Begin = Callable[[int, set[int], Mapping[str, Any], guardian.Journal], Part]
PARTS: Mapping[str, Mapping[str, Begin]] = {
    "cpu": {CONTROL_GROUP: GroupCpu, STOP_SIGNALS: stop_signals.StopSignals},
    "cpus": {},
    "mem": {},
    "io": {},
}
