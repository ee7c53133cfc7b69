"""Memory and swap, from /proc/meminfo (proc_meminfo(5))."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_twin.model.columns import Column, Value
from pytest_twin.probes import Context
from pytest_twin.probes.kernel import GIB, LINUX, PROC, KeptOpen

COLUMNS = (
    Column("ram_total_GB", "GiB", "Memory that the host has.", legacy=4),
    Column("ram_used_percent", "%", "Share of it that is not available.", 1, legacy=5),
    Column("ram_available_GB", "GiB", "Memory that programs can get without anything being swapped out.", 3, legacy=6),
    Column("swap_used_percent", "%", "Share of the swap space in use; empty where there is none.", 1, legacy=7),
)


def probe(context: Context) -> Linux | Portable:  # noqa: ARG001
    """The reader for this machine."""
    return Linux() if LINUX else Portable()


class Linux:
    """One descriptor kept open."""

    def __init__(self, proc: str = PROC) -> None:
        self._meminfo = KeptOpen(f"{proc}/meminfo")

    def read(self, at: float) -> Sequence[Value]:  # noqa: ARG002
        """One value a column."""
        kib = {
            fields[0]: int(fields[1])
            for line in self._meminfo.read().splitlines()
            if len(fields := line.split(None, 2)) > 1 and fields[0] in _WANTED
        }
        total, available = kib.get(b"MemTotal:"), kib.get(b"MemAvailable:")
        swap, unused = kib.get(b"SwapTotal:"), kib.get(b"SwapFree:")
        return (
            None if total is None else total * 1024 / GIB,
            None if not total or available is None else 100 * (total - available) / total,
            None if available is None else available * 1024 / GIB,
            None if not swap or unused is None else 100 * (swap - unused) / swap,
        )


_WANTED = {b"MemTotal:", b"MemAvailable:", b"SwapTotal:", b"SwapFree:"}


class Portable:
    """The same from psutil."""

    def __init__(self) -> None:
        import psutil

        self._psutil = psutil

    def read(self, at: float) -> Sequence[Value]:  # noqa: ARG002
        """One value a column."""
        memory, swap = self._psutil.virtual_memory(), self._psutil.swap_memory()
        return memory.total / GIB, memory.percent, memory.available / GIB, swap.percent if swap.total else None
