"""Memory and swap, from /proc/meminfo (proc_meminfo(5))."""

from __future__ import annotations

from pytest_twin._system.procfs import GIB, LINUX, PROC, ProcFile
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
LINES = 100  # bytes of more than the two lines of swap


def probe(context: ProbeContext) -> LinuxMemory | PortableMemory:  # noqa: ARG001
    """Return the probe for this machine."""
    return LinuxMemory() if LINUX else PortableMemory()


class LinuxMemory:
    """Reads /proc with one descriptor kept open."""

    every_s = OFTEN_S

    def __init__(self, proc: str = PROC) -> None:
        self._meminfo = ProcFile(f"{proc}/meminfo")
        self._swap_at = 0  # where its lines begin, which is the same in most rows

    def read(self, at: float) -> Sequence[Value]:  # noqa: ARG002
        """Return one value for each column."""
        text = self._meminfo.read()
        fields = text.split(None, 8)
        if text[self._swap_at : self._swap_at + 10] != b"SwapTotal:":
            self._swap_at = max(0, text.find(b"SwapTotal:"))
        swap_used = None
        after = text[self._swap_at : self._swap_at + LINES].split(None, 5)
        if len(after) > 4 and after[1] != b"0" and after[3] == b"SwapFree:":
            swap = int(after[1])
            swap_used = 100 * (swap - int(after[4])) / swap
        if len(fields) < 8 or fields[0] != b"MemTotal:" or fields[6] != b"MemAvailable:":
            return None, None, None, swap_used
        total, available = int(fields[1]), int(fields[7])
        return total / KIB_OF_GIB, 100 * (total - available) / total, available / KIB_OF_GIB, swap_used


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
