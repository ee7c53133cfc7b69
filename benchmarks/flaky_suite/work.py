"""Work of a known amount, which the tests of this suite wait for."""

from __future__ import annotations

import time


def work(cpu_s: float) -> str:
    """Compute until the calling thread has used this many CPU seconds, whatever the speed of the machine."""
    end = time.thread_time() + cpu_s
    while time.thread_time() < end:
        sum(range(500))
    return "result"
