"""Memory and swap, from /proc/meminfo (proc_meminfo(5))."""

from __future__ import annotations

from pytest_twin._system.procfs import GIB, LINUX, PROC, ProcFile, number
from pytest_twin.model.columns import Column
from pytest_twin.telemetry.counters import OFTEN_S

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_twin.model.columns import Value
    from pytest_twin.telemetry.probes import ProbeContext

COLUMNS = (
    Column("ram_total_GB", "GiB", "Total memory of the host.", legacy=4),
    Column("ram_used_percent", "%", "Share of the total memory that is not available.", 1, legacy=5),
    Column("ram_available_GB", "GiB", "Memory available to programs without swapping.", 3, legacy=6),
    Column(
        "swap_used_percent",
        "%",
        "Share of the swap space in use; empty without swap space.",
        1,
        legacy=7,
    ),
)
KIB_OF_GIB = GIB // 1024


def probe(context: ProbeContext) -> LinuxMemory | PortableMemory:  # noqa: ARG001
    """Return the probe for this machine."""
    return LinuxMemory() if LINUX else PortableMemory()


class LinuxMemory:
    """Reads /proc with one descriptor kept open."""

    every_s = OFTEN_S

    def __init__(self, proc: str = PROC) -> None:
        self._meminfo = ProcFile(f"{proc}/meminfo")

    def read(self, at: float) -> Sequence[Value]:  # noqa: ARG002
        """Return one value for each column."""
        text = self._meminfo.read()
        fields = text.split(None, 8)
        if len(fields) < 8 or fields[0] != b"MemTotal:" or fields[6] != b"MemAvailable:":
            return None, None, None, _swap_used(text)
        total, available = int(fields[1]), int(fields[7])
        return total / KIB_OF_GIB, 100 * (total - available) / total, available / KIB_OF_GIB, _swap_used(text)


def _swap_used(text: bytes) -> float | None:
    swap, unused = _kib(text, b"SwapTotal:"), _kib(text, b"SwapFree:")
    return None if not swap or unused is None else 100 * (swap - unused) / swap


def _kib(text: bytes, name: bytes) -> int | None:
    """Return the number after a name, None if there is none."""
    begin = text.find(name)
    if begin < 0:
        return None
    return number(text[begin + len(name) : text.find(b"kB", begin)])


class PortableMemory:
    """Reads the same values with psutil."""

    every_s = OFTEN_S

    def __init__(self) -> None:
        import psutil

        self._psutil = psutil

    def read(self, at: float) -> Sequence[Value]:  # noqa: ARG002
        """Return one value for each column."""
        memory, swap = self._psutil.virtual_memory(), self._psutil.swap_memory()
        return memory.total / GIB, memory.percent, memory.available / GIB, swap.percent if swap.total else None
