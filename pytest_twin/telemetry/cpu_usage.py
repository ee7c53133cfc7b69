"""What the processes of this machine use of its CPUs for a short time."""

from __future__ import annotations

import psutil

MEASURE_S = 1.0


def measure_cpu_share(seconds: float = MEASURE_S) -> float:
    """Wait for some seconds, and return the share of all CPUs that was in use meanwhile, from 0 to 1."""
    return psutil.cpu_percent(seconds) / 100
