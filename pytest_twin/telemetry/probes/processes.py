"""The number of processes; in a container, of those that are visible.

The kernel counts the processes of the whole host in the links of /proc (proc_root_getattr in fs/proc/root.c). In
another PID namespace than the first, the numbered folders are counted instead.
"""

from __future__ import annotations

import os

from pytest_twin._system.procfs import LINUX, PROC
from pytest_twin.model.columns import Column
from pytest_twin.telemetry.counters import RARELY_S

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_twin.model.columns import Value
    from pytest_twin.telemetry.probes import ProbeContext

MEANING = "Number of processes on the host, or in the PID namespace of the run; read every two seconds."
COLUMNS = (Column("process_count", "", MEANING, 0, legacy=16),)
FIRST_NAMESPACE = 0xEFFFFFFC  # PROC_PID_INIT_INO in include/linux/proc_ns.h


def probe(context: ProbeContext) -> LinuxProcessCount | PortableProcessCount:  # noqa: ARG001
    """Return the probe for this machine."""
    return LinuxProcessCount() if LINUX else PortableProcessCount()


class LinuxProcessCount:
    """Reads the number of links with stat(2), or counts folders."""

    every_s = RARELY_S

    def __init__(self, proc: str = PROC) -> None:
        self._proc = proc
        self._other_links = self._links_of_others()

    def read(self, at: float) -> Sequence[Value]:  # noqa: ARG002
        """Return one value for each column."""
        if self._other_links is None:
            return (self._count(),)
        return (os.stat(self._proc).st_nlink - self._other_links,)

    def _count(self) -> int | None:
        """Return the number of numbered folders; None without any, since then it is not a /proc."""
        return sum(map(str.isdecimal, os.listdir(self._proc))) or None

    def _links_of_others(self) -> int | None:
        """Return the number of links that are not processes; None where links cannot be used."""
        try:
            if os.stat(f"{self._proc}/self/ns/pid").st_ino != FIRST_NAMESPACE:
                return None
            between = sorted((os.stat(self._proc).st_nlink - (self._count() or 0)) for _ in range(3))
        except OSError:
            return None
        return between[1] if between[1] > 0 else None  # the median, since processes come and go


class PortableProcessCount:
    """Reads the same values with psutil."""

    every_s = RARELY_S

    def __init__(self) -> None:
        import psutil

        self._pids = psutil.pids

    def read(self, at: float) -> Sequence[Value]:  # noqa: ARG002
        """Return one value for each column."""
        return (len(self._pids()),)
