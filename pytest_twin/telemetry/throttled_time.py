"""Read for how long a control group was throttled, from its file cpu.stat or from one of the same form."""

from __future__ import annotations

from pytest_twin._system.stdlib import os

UNITS = {b"throttled_usec": 1e6, b"throttled_time": 1e9}  # of version 2, and of version 1 (cgroups(7))


def read_throttled_s(path: str) -> float | None:
    """Return the throttled seconds of a control group, summed over the CPUs; None if they cannot be read."""
    try:
        fd = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    except OSError:
        return None
    try:
        text = os.read(fd, 4096)
    except OSError:
        return None
    finally:
        os.close(fd)
    return parse_throttled_s(text)


def parse_throttled_s(text: bytes) -> float | None:
    """Return the seconds for which tasks were throttled, summed over CPUs, from cpu.stat of either version."""
    for line in text.splitlines():
        name, _, value = line.partition(b" ")
        if name in UNITS and value.strip().isdigit():
            return int(value) / UNITS[name]
    return None
