"""CPU seconds of the tests' processes, for a constraint without a quota of CPU time (Linux only)."""

from __future__ import annotations

import sys

from pytest_twin.stressors.constraint import cpu_account, target

assert sys.platform == "linux"  # noqa: S101 - for the type checker: this module is for Linux only

READ_EVERY_S = 0.1
WALK_SHARE = 0.004  # of the time, at most, in which new processes are looked for


class CpuUsage:
    """Measures, and enforces nothing."""

    backend = ""

    def __init__(self, tests: target.Target) -> None:
        """Find the processes.

        Raises:
            OSError: The kernel does not show what is needed.
        """
        self._account = cpu_account.CpuAccount(tests.pid, tests.outside)
        self._began_ns = 0
        self.restart()

    def restart(self) -> None:
        """Count from now on."""
        self._account.walk()
        self._began_ns = self._account.read()

    def step(self, now: float) -> float:
        """Look for new processes and read the CPU clocks."""
        if self._account.has_started():
            self._account.walk_if_due(now, WALK_SHARE)
        self._account.read()
        return now + READ_EVERY_S

    def lift(self) -> None:
        """Do nothing."""

    def resume(self) -> None:
        """Do nothing."""

    def figures(self) -> target.Figures:
        """Return the CPU seconds."""
        return {"tests_cpu_s": (self._account.read() - self._began_ns) / 1e9}
