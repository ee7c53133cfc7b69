"""Choose what enforces each part of a constraint: the first backend that works here (Linux only)."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from pytest_twin.stressors.constraint import (
    affinity,
    control_group,
    disk,
    group_cpu,
    guardian,
    memory,
    stop_signals,
    target,
    usage,
)

assert sys.platform == "linux"  # noqa: S101 - for the type checker: this module is for Linux only

CONTROL_GROUP, STOP_SIGNALS, AFFINITY = control_group.BACKEND, "stop signals", affinity.Affinity.backend
UNDO = {
    "group": control_group.undo_group,
    "moved": control_group.undo_move,
    "enabled": control_group.undo_enabled,
    "affinity": affinity.undo_affinity,
    "data limit": memory.undo_data_limit,
}


class Backends:
    """The parts of one constraint, and what they have changed."""

    def __init__(self, options: Mapping[str, Any], reports: int | None = None) -> None:
        """Start the guardian.

        Args:
            options: Those of the request.
            reports: The pipe that ends when everything is undone, also if this process is killed.

        Raises:
            OSError: The system has no more processes.
            ValueError: There are no processes to constrain.
        """
        if options.get("pid", 0) <= 1:  # 1 is the parent of the whole system, or container
            raise ValueError("there is no process to constrain")
        pid: int = options["pid"]
        outside = {*options.get("outside", ()), os.getpid(), os.getppid()}
        self._journal = guardian.Journal(UNDO, reports)
        self._tests = target.Target(pid, outside, options, self._journal, target.Groups(pid, self._journal))

    def begin(self) -> list[target.Part]:
        """Put every part in force and return them.

        Raises:
            ValueError: A part cannot be enforced.
        """
        parts = [self._begin(resource) for resource in PARTS if self._tests.options.get(resource)]
        return parts if self._tests.options.get("cpu") else [*parts, usage.CpuUsage(self._tests)]

    def check(self) -> None:
        """Check that the guardian is alive.

        Raises:
            OSError: It has ended.
        """
        self._journal.check()

    def update(self) -> None:
        """Check the guardian, and have the present processes of the tests in the control groups, and no others.

        Raises:
            OSError: The guardian has ended, or the kernel does not permit it.
        """
        self._journal.check()
        self._tests.groups.update(self._tests.outside)

    def undo(self) -> None:
        """Undo all changes and end the guardian."""
        self._journal.undo()

    def _begin(self, resource: str) -> target.Part:
        """Put one part in force by the first backend that works."""
        reasons = []
        wanted = self._tests.options.get("backend") or ""
        for backend, begin in PARTS[resource].items():
            if wanted in {"", backend} or len(PARTS[resource]) == 1:
                mark = self._journal.mark()
                try:
                    return begin(self._tests)
                except (OSError, ValueError) as error:
                    reasons.append(f"{backend}: {error}")
                    self._journal.roll_back(mark)
        why = "; ".join(reasons) or f"{wanted} cannot do it"
        raise ValueError(f"cannot constrain {resource}: {why}")


Begin = Callable[[target.Target], target.Part]
PARTS: Mapping[str, Mapping[str, Begin]] = {
    "cpu": {CONTROL_GROUP: group_cpu.GroupCpu, STOP_SIGNALS: stop_signals.StopSignals},
    "cpus": {AFFINITY: affinity.Affinity},
    "mem": {CONTROL_GROUP: memory.GroupMemory, STOP_SIGNALS: memory.WatchedMemory},
    "io": {CONTROL_GROUP: disk.GroupDisk},
}


PROBES: Mapping[str, Any] = {"cpu": 0.5, "cpus": 1, "mem": 1 << 30, "io": 1e6}
IDLE = "import os; os.read(0, 1)"  # until stdin is closed


def find_backends() -> dict[str, dict[str, str]]:
    """Return for each resource the reason why a backend does not work for a child of this process, empty if it works.

    Each is tried on a process that is started for that, so nothing is changed for others.

    Raises:
        OSError: The system has no more processes.
    """
    import subprocess  # not above: the enforcer has no use for it

    command = [sys.executable, "-I", "-S", "-c", IDLE]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        return {
            resource: {backend: _why_not(process.pid, resource, backend) for backend in PARTS[resource]}
            for resource in PARTS
        }


def _why_not(pid: int, resource: str, backend: str) -> str:
    tried = Backends({"pid": pid, "backend": backend, resource: PROBES[resource]})
    try:
        tried.begin()
    except ValueError as error:
        return str(error).partition(f"{backend}: ")[2]
    finally:
        tried.undo()
    return ""
