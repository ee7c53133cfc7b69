"""Clock rate of the CPUs, from cpufreq (kernel: Documentation/admin-guide/pm/cpufreq.rst)."""

from __future__ import annotations

import os

from pytest_twin._system.procfs import LINUX, ProcFile, number
from pytest_twin.model.columns import Column
from pytest_twin.telemetry.counters import ONLY_ONCE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_twin.model.columns import Value
    from pytest_twin.telemetry.probes import ProbeContext

COLUMNS = (Column("cpu_frequency_MHz", "MHz", "Mean clock frequency of the CPUs; read once a second.", 0),)
# Before Linux 5.18 the reader sleeps for 10 ms if a busy x86 CPU was not read for a second (aperfmperf.c): read a
# little more often, and only some CPUs.
EVERY_S = 0.9
MAX_CPUS = 8
KILO = 1000


def probe(context: ProbeContext) -> LinuxFrequency | PortableFrequency:  # noqa: ARG001
    """Return the probe for this machine."""
    return LinuxFrequency() if LINUX else PortableFrequency()


class LinuxFrequency:
    """Reads some evenly chosen CPUs, with a descriptor kept open for each."""

    def __init__(self, policies: str = "/sys/devices/system/cpu/cpufreq") -> None:
        try:
            names = [name for name in os.listdir(policies) if name.startswith("policy")]
        except OSError:
            names = []
        names.sort(key=lambda name: (len(name), name))
        chosen = [names[at * len(names) // MAX_CPUS] for at in range(MAX_CPUS)] if len(names) > MAX_CPUS else names
        self._rates = [ProcFile(f"{policies}/{name}/scaling_cur_freq") for name in chosen]
        self.every_s = EVERY_S if names else ONLY_ONCE

    def read(self, at: float) -> Sequence[Value]:  # noqa: ARG002
        """Return one value for each column."""
        rates = [value for rate in self._rates if (value := number(rate.read()))]
        return (sum(rates) / len(rates) / KILO if rates else None,)


class PortableFrequency:
    """Reads the same value with psutil, which does not have it on some systems."""

    every_s = EVERY_S

    def __init__(self) -> None:
        import psutil

        self._rate = getattr(psutil, "cpu_freq", lambda: None)

    def read(self, at: float) -> Sequence[Value]:  # noqa: ARG002
        """Return one value for each column."""
        try:
            rate = self._rate()
        except (OSError, RuntimeError):  # such as NotImplementedError
            return (None,)
        return (rate.current or None if rate else None,)
