"""The conditions that tests are run under: less CPU, fewer CPUs, load on CPU and disk, less memory, two at once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from pytest_twin.model.flaky_row import IDLE as IDLE_FAMILY
from pytest_twin.model.shell_word import shell_word

CPU_QUOTA, CPUS, CPU_LOAD, DISK_LOAD = "cpu quota", "cpus", "cpu load", "disk load"
MEMORY, COMBINED = "memory", "combined"
QUOTAS = (0.5, 0.25, 0.1, 0.05)  # CPUs, mildest first; half of the tests that break need less than a quarter
WORKERS_PER_CPU = 4
PEAKS = 1.5  # the memory that a test may use, as a multiple of its own peak
SPARE_BYTES = 64 << 20  # at least as much more than the peak: allocators and new threads reserve some
OTHER_LANE_CPUS = 0.5
MIB = 1 << 20


class Condition(NamedTuple):
    """What a test runs under.

    Attributes:
        family: Conditions of one family differ only in severity.
        severity: Its position in the family, 1 for the mildest; 0 for idle.
        stress: The load, as ``--twin-stress`` has it; empty for none.
        constrain: The constraint, as ``--twin-constrain`` has it; empty for none.
        cpu_share: CPUs that a test gets, roughly, for an estimate of how long it takes.
        quota: The quota in CPUs; 0 without one.
    """

    family: str
    severity: int
    stress: str = ""
    constrain: str = ""
    cpu_share: float = 1.0
    quota: float = 0.0

    def __str__(self) -> str:
        """Return the text in flaky.csv, which is that of a load."""
        words = [self.stress, f"constrain {self.constrain}" if self.constrain else ""]
        return " ".join(filter(None, words)) or IDLE_FAMILY

    @property
    def keywords(self) -> dict[str, str]:
        """The keywords of the load, with those of the constraint behind ``constrain``."""
        found = dict(word.split("=", 1) for word in self.stress.split())
        return {**found, "constrain": self.constrain} if self.constrain else found

    @property
    def lane_cpus(self) -> float:
        """The CPUs that a run takes from runs at the same time, where a failure is only a hint and a pass is one."""
        return self.quota or OTHER_LANE_CPUS

    def for_peak(self, resident_bytes: int, data_bytes: int = 0) -> Condition:
        """Return the same condition for a test with this peak memory.

        Args:
            resident_bytes: Peak resident memory of the process of the test, idle.
            data_bytes: Its peak of reserved private memory, of which the limit must leave as much.
        """
        if self.family != MEMORY:
            return self
        allowed = max(PEAKS * resident_bytes, resident_bytes + SPARE_BYTES, data_bytes + SPARE_BYTES)
        return self._replace(constrain=f"mem={math.ceil(allowed / MIB)}MiB")

    def command(self, nodeid: str, repeat: int) -> str:
        """Return the shell command that runs a test under this condition again; empty for idle."""
        if not self.stress and not self.constrain:
            return ""
        options = {"--twin-stress": self.stress, "--twin-constrain": self.constrain}
        words = [f"{name} {shell_word(value)}" for name, value in options.items() if value]
        return " ".join(["pytest", shell_word(nodeid, always=True), *words, f"--twin-repeat {repeat}"])


IDLE = Condition(IDLE_FAMILY, 0)


def conditions(cpus: int) -> list[Condition]:
    """Return all conditions without idle, the mildest first, as far as different families can be compared.

    Args:
        cpus: The number of CPUs that the tests may run on.
    """
    quotas = [
        Condition(CPU_QUOTA, severity, constrain=f"cpu={quota:g}", cpu_share=quota, quota=quota)
        for severity, quota in enumerate(QUOTAS, 1)
    ]
    quarter = quotas[1]._replace(family=COMBINED, cpu_share=0.1)
    found = [
        Condition(CPUS, 1, constrain="cpus=1"),
        Condition(CPU_LOAD, 1, "cpu=100%", cpu_share=0.5),
        quotas[0],
        Condition(MEMORY, 1, constrain="mem=…", cpu_share=0.7),
        Condition(DISK_LOAD, 1, "disk=max", cpu_share=0.3),
        Condition(CPU_LOAD, 2, f"cpu={WORKERS_PER_CPU * cpus}", cpu_share=1 / (WORKERS_PER_CPU + 1)),
        quotas[1],
        quarter._replace(severity=1, stress="disk=max"),
        quarter._replace(severity=2, stress="cpu=100%"),
        *quotas[2:],
    ]
    return found if cpus > 1 else found[1:]


def family_ladders(found: list[Condition]) -> Mapping[str, list[Condition]]:
    """Return the conditions of each family, the mildest first."""
    ladders: dict[str, list[Condition]] = {}
    for condition in found:
        ladders.setdefault(condition.family, []).append(condition)
    return ladders
