"""Detection of times in which this process was frozen or stopped: ``docker pause``, cgroup freezer, SIGSTOP."""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False  # the sampler imports this, and next to nothing besides
if TYPE_CHECKING:
    from collections.abc import Callable

SHORTEST_S = 0.5  # far more than a timer is usually late by
REFRESH_S = 1.0


def waited_for_cpu() -> float:
    """Return the seconds in which this process was ready to run and had no CPU (schedstat); 0 where not known."""
    try:
        return int(_read("/proc/self/schedstat").split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return 0.0


def _read(path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY)
    try:
        return os.read(fd, 256)
    finally:
        os.close(fd)


class FreezeDetector:
    """Tells a frozen process from one that waited for a CPU, by how late it wakes up."""

    def __init__(self, waited: Callable[[], float] = waited_for_cpu, refresh_s: float = REFRESH_S) -> None:
        """Start to observe this process.

        Args:
            waited: Returns the seconds in which this process has waited for a CPU so far.
            refresh_s: How long such a number is used; what it waits for meanwhile hides as much of a freeze.
        """
        self._waited, self._refresh_s = waited, refresh_s
        self._before, self._refresh_at = waited(), time.monotonic() + refresh_s

    def lost(self, due: float, at: float) -> float:
        """Return the seconds for which this process was frozen until it woke up; 0 if it was late as usual.

        Args:
            due: When it should have woken up.
            at: When it did.
        """
        late = at - due
        if late < SHORTEST_S and at < self._refresh_at:
            return 0.0
        waited = self._waited()
        lost = late - (waited - self._before)
        self._before, self._refresh_at = waited, at + self._refresh_s
        return lost if lost >= SHORTEST_S else 0.0
