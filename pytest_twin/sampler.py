"""The sampler: a process of its own that asks the probes at a fixed interval and appends rows.

A thread in a busy test process would sample late or not at all. The process is started without site packages unless a
probe needs them, reads its orders as one JSON line on stdin, says when it is ready, and ends at the end of stdin or
when its parent is gone; then it writes a last row and tells how many rows there were.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_twin.model.clock import Clock

READY_WITHIN_S = 10.0
END_WITHIN_S = 5.0


class SamplerError(RuntimeError):
    """The sampler cannot do its work; the message says why."""


class Sampled(NamedTuple):
    """What a sampler did.

    Attributes:
        rows: Rows written.
        missed: Rows whose time was over before they could be taken.
        dropped: Rows that could not be written.
        warnings: What could not be read or written, one line each.
    """

    rows: int = 0
    missed: int = 0
    dropped: int = 0
    warnings: tuple[str, ...] = ()


class Sampler:
    """Starts the sampling process and stops it; a context manager."""

    def __init__(
        self,
        path: Path,
        clock: Clock,
        interval: float,
        *,
        has_tests: bool,
        probes: Sequence[str] = (),
        rotate_at: int = 0,
    ) -> None:
        """Prepare it.

        Args:
            path: The dataset that it appends to; a header is written where the file is new.
            clock: The run's clock.
            interval: Seconds between rows.
            has_tests: Whether this process runs tests, whose own columns are filled then.
            probes: Modules of probes besides our own.
            rotate_at: Bytes from which on the dataset goes on in a new file; 0 is never.
        """
        self._orders = {
            "path": str(path),
            "clock": list(clock),
            "interval": interval,
            "root": os.getpid(),
            "has_tests": has_tests,
            "probes": list(probes),
            "rotate_at": rotate_at,
        }
        self._process: subprocess.Popen[bytes] | None = None
        self.sampled = Sampled()

    def start(self) -> None:
        """Start it; comes back when the first interval has begun.

        Raises:
            SamplerError: It did not come up.
        """
        bare = ["-S"] if sys.platform == "linux" and not self._orders["probes"] else []
        path = [os.path.dirname(os.path.dirname(os.path.abspath(__file__))), *(sys.path if not bare else ())]
        start = f"import sys; sys.path[:0] = {path!r}; from pytest_twin.sampler import main; main()"
        command = [sys.executable, "-I", *bare, "-c", start]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )
        assert self._process.stdin is not None  # noqa: S101 - for the type checker
        try:
            self._process.stdin.write(json.dumps(self._orders).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            pass  # it is gone already, and its last words say why
        if self._told() is None:
            raise SamplerError(f"the sampler did not start: {self._last_words()}")

    @property
    def pid(self) -> int | None:
        """Its process id, None before the start."""
        return self._process.pid if self._process else None

    def stop(self) -> None:
        """Have it take a last row and end; what it did is in `sampled` then."""
        process, self._process = self._process, None
        if process is None:
            return
        killer = threading.Timer(END_WITHIN_S, process.kill)
        killer.start()
        try:
            out, _ = process.communicate()
        finally:
            killer.cancel()
        lines = out.splitlines()
        if lines:
            told = json.loads(lines[-1])
            self.sampled = Sampled(told["rows"], told["missed"], told["dropped"], tuple(told["warnings"]))
        else:
            self.sampled = Sampled(warnings=(f"the sampler died (exit status {process.returncode})",))

    def _told(self) -> Any:
        """The next line that it says, None if it ends or says nothing in time."""
        process = self._process
        assert process is not None  # noqa: S101 - for the type checker
        assert process.stdout is not None  # noqa: S101
        killer = threading.Timer(READY_WITHIN_S, process.kill)
        killer.start()
        try:
            line = process.stdout.readline()
        finally:
            killer.cancel()
        return json.loads(line) if line else None

    def _last_words(self) -> str:
        process, self._process = self._process, None
        assert process is not None  # noqa: S101 - for the type checker
        _, errors = process.communicate()
        return (errors.decode(errors="replace").strip().splitlines() or [f"exit status {process.returncode}"])[-1]


class Sampling:
    """The loop, with the world brought in by the front door."""

    def __init__(self, read: Callable[[float], str], write: Callable[[str], None], interval: float) -> None:
        self._read, self._write, self._interval = read, write, interval
        self.rows = self.missed = self.dropped = 0
        self.warnings: list[str] = []

    def run(self, now: Callable[[], float], wait: Callable[[float], bool]) -> None:
        """Take rows at absolute times until `wait` says that it was interrupted; one more then, if it is worth it.

        Times that are over before their row could be taken are skipped and counted.
        """
        began = last = now()
        self._read(began)
        tick = 1
        while not wait(max(0.0, began + tick * self._interval - now())):
            last = now()
            self._take(last)
            due = int((now() - began) / self._interval) + 1
            self.missed += max(0, due - tick - 1)
            tick = max(due, tick + 1)
        if now() - last >= self._interval / 2 or not self.rows:
            self._take(now())

    def _take(self, at: float) -> None:
        row = self._read(at)
        try:
            self._write(row)
        except OSError as error:
            if not self.dropped:
                self.warnings.append(f"rows cannot be written: {error.strerror}")
            self.dropped += 1
        else:
            self.rows += 1


def main() -> None:
    """Be the sampling process."""
    from pytest_twin.model.clock import Clock
    from pytest_twin.probes import Context
    from pytest_twin.rows import Rows

    # no buffered reading: a thread that waits in one keeps the interpreter from ending
    said = b""
    while not said.endswith(b"\n"):
        said += os.read(0, 1 << 16) or b"{}\n"
    orders = json.loads(said)
    stop = threading.Event()

    def listen() -> None:
        while os.read(0, 1 << 16):
            pass
        stop.set()

    threading.Thread(target=listen, daemon=True).start()
    parent = os.getppid()
    reader = Reader(Clock(*orders["clock"]), Context(orders["root"], orders["has_tests"]), orders["probes"])
    rows = Rows(orders["path"], reader.header, orders["rotate_at"])
    sampling = Sampling(reader.row, rows.append, orders["interval"])
    sampling.warnings = reader.warnings

    def wait(seconds: float) -> bool:
        return stop.wait(seconds) or os.getppid() != parent

    _say({"ready": time.monotonic()})
    sampling.run(time.monotonic, wait)
    _say({name: getattr(sampling, name) for name in Sampled._fields})


class Reader:
    """Turns what the probes read into lines of the dataset."""

    def __init__(self, clock: Clock, context: Any, extra: Sequence[str] = ()) -> None:
        from pytest_twin import probes
        from pytest_twin.model.columns import ELAPSED, TIMESTAMP, header, order

        self._clock = clock
        found = probes.modules(extra)
        self._probes = [(module.__name__, module.probe(context), len(module.COLUMNS)) for module in found]
        self._columns = (TIMESTAMP, ELAPSED, *probes.columns(found))
        self._order = order(self._columns)
        self.header = header(self._columns[at] for at in self._order) + "\n"
        self.warnings: list[str] = []

    def row(self, at: float) -> str:
        """One line of the dataset."""
        from pytest_twin.model.columns import cell

        values = self._read(at)
        return ",".join(cell(self._columns[at], values[at]) for at in self._order) + "\n"

    def values(self, at: float) -> list[tuple[Any, Any]]:
        """One row as (column, value) pairs, in the order of the file."""
        values = self._read(at)
        return [(self._columns[at], values[at]) for at in self._order]

    def _read(self, at: float) -> list[Any]:
        """Ask every probe; one that fails leaves its cells empty, and is told of once."""
        elapsed = self._clock.elapsed(at)
        values: list[Any] = [self._clock.stamp(elapsed), elapsed]
        for name, probe, width in self._probes:
            try:
                values += _as_many(probe.read(at), width)
            except Exception as error:  # noqa: BLE001 - whatever a probe raises costs its own cells, not the row
                values += [None] * width
                self._warn(f"{name.rpartition('.')[2]}: {type(error).__name__}: {error}")
        return values

    def _warn(self, text: str) -> None:
        if text not in self.warnings and len(self.warnings) < 20:
            self.warnings.append(text)


def _as_many(values: Sequence[Any], width: int) -> Sequence[Any]:
    if len(values) != width:
        raise ValueError(f"gave {len(values)} values for {width} columns")
    return values


def _say(message: dict[str, Any]) -> None:
    try:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()
    except OSError:  # nobody listens any more
        pass


if __name__ == "__main__":
    main()
