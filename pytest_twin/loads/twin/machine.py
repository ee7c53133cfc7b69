"""A machine as tests see it: its CPUs and memory, and what of them they may use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from pytest_twin._system.procfs import GIB
from pytest_twin.model.machine_speed import MachineSpeed, machine_speed
from pytest_twin.stressors.system import capacity


class Machine(NamedTuple):
    """A machine; None stands for what is not known, or for no limit.

    Attributes:
        cpus: Its logical CPUs.
        allowed: The number of CPUs that tests may run on.
        quota: The CPUs' worth of time that they may use.
        memory_bytes: Its memory.
        memory_limit_bytes: The memory that they may use.
        speed: The scores of its CPUs.
    """

    cpus: int | None = None
    allowed: int | None = None
    quota: float | None = None
    memory_bytes: int | None = None
    memory_limit_bytes: int | None = None
    speed: MachineSpeed | None = None

    @property
    def usable_cpus(self) -> float | None:
        """The CPUs' worth of time that tests may use at the same time."""
        return min((each for each in (self.allowed or self.cpus, self.quota) if each), default=None)

    @property
    def usable_bytes(self) -> int | None:
        """The memory that tests may use."""
        return min((each for each in (self.memory_bytes, self.memory_limit_bytes) if each), default=None)


def machine_of(fingerprint: Mapping[str, Any] | None) -> Machine:
    """Return the machine of a fingerprint, which may be damaged: what has another type is not known."""
    document = fingerprint or {}
    cpu, memory = (each if isinstance(each := document.get(name), dict) else {} for name in ("cpu", "memory"))
    return Machine(
        cpus=_count(cpu.get("logical")),
        allowed=_count(cpu.get("allowed")),
        quota=_positive(cpu.get("cgroup_quota")),
        memory_bytes=_bytes(memory.get("total_GB")),
        memory_limit_bytes=_bytes(memory.get("cgroup_limit_GB")),
        speed=machine_speed(document),
    )


def this_machine(speed: MachineSpeed | None = None) -> Machine:
    """Return this machine, with its scores where they are needed."""
    allowed = capacity.allowed_cpus()
    return Machine(allowed, allowed, capacity.cpu_quota(), capacity.usable_memory(), None, speed)


def _positive(value: object) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 < value < 1e9 else None  # type: ignore[arg-type,operator]


def _count(value: object) -> int | None:
    number = _positive(value)
    return int(number) if number is not None and number >= 1 else None


def _bytes(value: object) -> int | None:
    number = _positive(value)
    return int(number * GIB) if number is not None else None
