"""Network traffic, from /proc/net/dev (proc_pid_net(5)); loopback separately."""

from __future__ import annotations

from pytest_twin._system.procfs import LINUX, MIB, PROC, ProcFile
from pytest_twin.model.columns import Column
from pytest_twin.telemetry.counters import OFTEN_S

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from pytest_twin.model.columns import Value
    from pytest_twin.telemetry.probes import ProbeContext

    Counters = dict[bytes, tuple[int, int]]  # sent and received bytes, by interface

COLUMNS = (
    Column(
        "net_sent_MB",
        "MiB",
        "Data sent on all interfaces except loopback since the last row.",
        3,
        legacy=12,
        is_amount=True,
        window_s=OFTEN_S,
    ),
    Column(
        "net_recv_MB",
        "MiB",
        "Data received on all interfaces except loopback since the last row.",
        3,
        legacy=13,
        is_amount=True,
        window_s=OFTEN_S,
    ),
    Column(
        "net_loopback_MB",
        "MiB",
        "Data sent on the loopback interface since the last row.",
        3,
        is_amount=True,
        window_s=OFTEN_S,
    ),
)
LOOPBACK = (b"lo:",)  # as /proc/net/dev has it


def probe(context: ProbeContext) -> LinuxNetwork | PortableNetwork:  # noqa: ARG001
    """Return the probe for this machine."""
    return LinuxNetwork() if LINUX else PortableNetwork()


class InterfaceTotals:
    """Sums the growth of each interface, so that one that appears or disappears does not count as traffic."""

    def __init__(self) -> None:
        self._before: Counters = {}

    def row(self, counters: Counters, loopback: Container[bytes]) -> Sequence[Value]:
        """Return MiB sent and received without loopback, and sent on loopback."""
        before, self._before = self._before, counters
        sums: list[float | None] = [None, None, None]
        for name, (sent, received) in counters.items():
            then = before.get(name)
            if then is None:
                continue
            grown = ((2, sent - then[0]),) if name in loopback else ((0, sent - then[0]), (1, received - then[1]))
            for place, amount in grown:
                if amount >= 0:
                    sums[place] = (sums[place] or 0.0) + amount / MIB
        return sums


class LinuxNetwork:
    """Reads /proc with one descriptor kept open."""

    every_s = OFTEN_S

    def __init__(self, proc: str = PROC) -> None:
        self._dev = ProcFile(f"{proc}/net/dev")
        self._grown = InterfaceTotals()
        self._text = b""
        self._still: Sequence[Value] | None = None  # the row without traffic, if it is known

    def read(self, at: float) -> Sequence[Value]:  # noqa: ARG002
        """Return one value for each column."""
        text = self._dev.read()
        if text != self._text:
            self._text, self._still = text, None
            return self._grown.row(_counters(text), LOOPBACK)
        if self._still is None:
            self._still = self._grown.row(_counters(text), LOOPBACK)
        return self._still


def _counters(text: bytes) -> Counters:
    counters: Counters = {}
    for line in text.splitlines()[2:]:
        fields = line.split(None, 10)
        if len(fields) > 9 and fields[0].endswith(b":"):
            counters[fields[0]] = int(fields[9]), int(fields[1])
    return counters


class PortableNetwork:
    """Reads the same values with psutil."""

    every_s = OFTEN_S

    def __init__(self) -> None:
        import psutil

        self._counters = psutil.net_io_counters
        self._grown = InterfaceTotals()

    def read(self, at: float) -> Sequence[Value]:  # noqa: ARG002
        """Return one value for each column."""
        counters = {
            name.encode(): (nic.bytes_sent, nic.bytes_recv) for name, nic in self._counters(pernic=True).items()
        }
        loopback = [name for name in counters if name.startswith((b"lo", b"Loopback"))]
        return self._grown.row(counters, loopback)
