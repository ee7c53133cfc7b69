"""The processes of ours that this one has as children: what they used is no test's, also when one has ended."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Sequence

_handed_on: list[float] = []  # to this process with those of ours that were waited for

if sys.platform == "linux":
    import resource

    _accounting = threading.Lock()

    class Process(subprocess.Popen[bytes]):
        """Whoever waits for it keeps apart what the kernel hands on with it (getrusage(2))."""

        def poll(self) -> int | None:
            """Whether it has ended, and how.

            While it lives this takes no lock of Popen's: an interrupt that comes just there leaves it taken, and who
            waits for the end waits for ever.
            """
            return super().poll() if self._account(os.WNOHANG) else None

        def wait(self, timeout: float | None = None) -> int:
            """Wait for its end; with a limit only where the run is over, and nobody asks for the account any more."""
            if timeout is None:
                self._account(0)
            return super().wait(timeout)

        def _account(self, options: int) -> bool:
            """When it has ended, reap it in a moment in which hardly anything else is added to what children used.

            Returns:
                Whether it has ended.
            """
            if self.returncode is not None:
                return True
            try:
                if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT | options) is None:
                    return False
            except ChildProcessError:  # somebody else waited for it
                return True
            with _accounting:
                before = resource.getrusage(resource.RUSAGE_CHILDREN)
                super().poll()
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                known = _handed_on or [0.0] * len(before)
                _handed_on[:] = [old + late - early for old, early, late in zip(known, before, after, strict=True)]
            return True

else:
    Process = subprocess.Popen[bytes]


def without(usage: Sequence[float]) -> Sequence[float]:
    """What children used, as getrusage(2) tells it, less what those of ours did that have ended.

    The highest memory of any of them, which is no sum, stays as it is.
    """
    if not _handed_on:
        return usage
    told = [value - handed_on for value, handed_on in zip(usage, _handed_on, strict=True)]
    told[2] = usage[2]
    return told
