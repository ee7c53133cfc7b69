"""The sampling process: reads the probes at a fixed interval and appends rows to the dataset.

`sampler` starts it, on Linux without site packages, and it imports next to nothing: it should be up at once, be small,
and not disturb what it measures. It opens its file at the first byte on stdin, and ends at the second, at the end of
stdin, or when its parent has died; then it reads every probe for a last row, and reports the number of rows.
"""

from __future__ import annotations

import os
import select
import sys
import time

from pytest_twin._system.append_file import AppendOnlyFile
from pytest_twin._system.procfs import PROC, ProcFile
from pytest_twin.model.clock import Clock
from pytest_twin.model.columns import ELAPSED, TIMESTAMP, header
from pytest_twin.stressors.system.freeze_detector import REFRESH_S, SHORTEST_S, FreezeDetector
from pytest_twin.stressors.system.parent import open_pidfd, socket_from_pipe
from pytest_twin.telemetry import probes
from pytest_twin.telemetry.probe_runner import ProbeRunner
from pytest_twin.telemetry.probes import ProbeContext
from pytest_twin.telemetry.sampler_config import SamplerConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from pytest_twin.model.columns import Column, Value

DEATH_WITHIN_S = 1.0  # a process that ends closes its files before it is gone
PARENT_CHECK_S = 1.0  # where the kernel does not report the parent's end
SUSPEND_CHECK_S = 1.0
WAITS_PER_REFRESH = 5
MIN_SUSPEND_S = 0.5  # far more than the time between the readings of two clocks


class SamplingLoop:
    """The loop that takes rows; clock, waiting, reading and writing are passed in."""

    def __init__(
        self,
        read: Callable[[float], str],
        write: Callable[[str], None],
        interval: float,
        after_wait: Callable[[float, float], None] = lambda _due, _at: None,
        read_last: Callable[[float], str] | None = None,
    ) -> None:
        """Create the loop.

        Args:
            read: Returns the row of a time.
            write: Writes a row.
            interval: Seconds between two rows.
            after_wait: Called after each wait with the time that it was to end at, and the time at which it ended.
            read_last: Returns the last row; None is `read`.
        """
        self._read, self._write, self._interval, self._after_wait = read, write, interval, after_wait
        self._read_last = read_last or read
        self.rows = self.missed = self.dropped = 0
        self.warnings: list[str] = []

    def run(
        self, now: Callable[[], float], wait: Callable[[float], bool], on_ready: Callable[[], None] = lambda: None
    ) -> None:
        """Take rows at absolute times until `wait` is interrupted, and then the last row.

        Times that have passed before their row could be taken are skipped and counted.

        Args:
            now: Returns the monotonic time.
            wait: Waits for a number of seconds; returns whether it was interrupted.
            on_ready: Called when everything that happens from now on will be in the rows.
        """
        began = now()
        self._read(began)
        on_ready()
        tick = 1
        at = now()
        while True:
            due_at = began + tick * self._interval
            if due_at < at:  # noqa: PLR1730 - a row does without a function that nothing else in it needs
                due_at = at
            is_over = wait(due_at - at)
            at = now()
            self._after_wait(due_at, at)
            if is_over:
                break
            self._take(at, self._read)
            at = now()
            tick += 1
            if at >= began + tick * self._interval:
                due = int((at - began) / self._interval) + 1
                self.missed += due - tick
                tick = due
        self._take(at, self._read_last)

    def _take(self, at: float, read: Callable[[float], str]) -> None:
        row = read(at)
        try:
            self._write(row)
            self.rows += 1
        except OSError as error:
            if not self.dropped:
                self.warnings.append(f"rows cannot be written: {error.strerror}")
            self.dropped += 1


class SuspendDetector:
    """Detects that the machine was suspended, during which the monotonic clock stands still (clock_gettime(2))."""

    def __init__(
        self, since_boot: Callable[[], float], now: Callable[[], float], on_suspend: Callable[[float, float], None]
    ) -> None:
        """Create the detector.

        Args:
            since_boot: Returns the seconds since boot, including suspended time.
            now: Returns the monotonic time.
            on_suspend: Called with the monotonic time and the suspended seconds.
        """
        self._since_boot, self._now, self._on_suspend = since_boot, now, on_suspend
        self._due = float("-inf")
        self._ahead: float | None = None  # seconds by which the clock since boot is ahead of the monotonic one

    def check(self, at: float) -> None:
        """Compare the clocks, at most once in `SUSPEND_CHECK_S`."""
        if at < self._due:
            return
        if self._ahead is not None and self._since_boot() - at - self._ahead < MIN_SUSPEND_S:
            self._due = at + SUSPEND_CHECK_S  # the usual case, for which one clock is enough
            return
        since_boot, now = self._since_boot(), self._now()
        if self._now() - at > MIN_SUSPEND_S:  # this process waited for a CPU, possibly between the two readings
            return
        self._due = at + SUSPEND_CHECK_S
        ahead = since_boot - now
        if self._ahead is not None and ahead - self._ahead > MIN_SUSPEND_S:
            self._on_suspend(at, ahead - self._ahead)
        self._ahead = ahead


class TimeProbe:
    """The time of the row: a probe, and the module of it."""

    COLUMNS = (TIMESTAMP, ELAPSED)

    def __init__(self, clock: Clock) -> None:
        self._clock, self.__name__ = clock, "time"

    def probe(self, _: ProbeContext) -> TimeProbe:
        """Return itself."""
        return self

    def read(self, at: float) -> Sequence[Value]:
        """Return one value for each column."""
        elapsed = at - self._clock.began
        return self._clock.stamp(elapsed), elapsed


class RowReader:
    """Formats the values of the probes as lines of the dataset.

    Attributes:
        header: The first line.
        row: Returns the line of a time.
        last_row: Returns the last line, for which every probe is read.
        warnings: How probes failed, a line each.
    """

    def __init__(self, clock: Clock, context: ProbeContext, extra: Sequence[str] = ()) -> None:
        self._probes = ProbeRunner([TimeProbe(clock), *probes.find_modules(extra)], context, extra, end="\n")
        self.warnings = self._probes.warnings
        self.header = header(self._probes.columns) + "\n"
        self.row, self.last_row = self._probes.line, self._probes.last_line

    def values(self, at: float) -> list[tuple[Column, Value]]:
        """Return one row as (column, value) pairs, in the order of the file."""
        return list(zip(self._probes.columns, self._probes.read(at), strict=True))


class ParentWatcher:
    """Watches the process that started this one.

    A first byte on stdin means start; a second byte, the end of stdin, or the death of the parent means stop.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._watched: list[Any] = [0]
        pidfd = open_pidfd(pid)
        self._has_pidfd = pidfd is not None
        if pidfd is not None:
            self._watched.append(pidfd)

    def wait_start(self) -> bool:
        """Wait for the start; return False if the parent stops or dies before."""
        if sys.platform != "win32":
            while not self.wait(PARENT_CHECK_S):
                pass
            return os.getppid() == self._pid and bool(os.read(0, 1))
        has_started = bool(os.read(0, 1))
        self._watched = [socket_from_pipe(0)]
        return has_started

    def is_dead(self) -> bool:
        """Return whether the parent died without a stop; always False on Windows, which does not report it."""
        if sys.platform == "win32" or (select.select([0], (), (), 0)[0] and os.read(0, 1)):
            return False
        deadline = time.monotonic() + DEATH_WITHIN_S
        while os.getppid() == self._pid and time.monotonic() < deadline:
            time.sleep(DEATH_WITHIN_S / 100)
        return os.getppid() != self._pid  # otherwise a test closed the pipe, and the run continues

    def wait(self, seconds: float) -> bool:
        """Wait for a number of seconds; return whether to stop."""
        if self._has_pidfd:
            return bool(select.select(self._watched, (), (), seconds)[0])
        deadline = time.monotonic() + seconds
        while True:
            ready, _, _ = select.select(self._watched, (), (), min(seconds, PARENT_CHECK_S))
            if ready or os.getppid() != self._pid:
                return True
            seconds = deadline - time.monotonic()
            if seconds <= 0:
                return False


def main() -> tuple[str, AppendOnlyFile, Clock] | None:
    """Run the sampling process; its argument is a `SamplerConfig` as JSON.

    Returns:
        The run folder, the dataset and the clock, if this process ran tests and its parent died. Otherwise it exits.
    """
    config = SamplerConfig.from_json(sys.argv[1])
    sys.path[1:1] = config.import_paths
    context = ProbeContext(
        config.parent_pid, has_tests=config.has_tests, per_core=config.per_core, workers_dir=config.workers_dir,
        constraints_dir=config.constraints_dir,
    )  # fmt: skip
    clock = Clock(config.began, config.epoch)
    raise_open_file_limit()
    reader = RowReader(clock, context, config.probes)
    parent = ParentWatcher(config.parent_pid)
    if not parent.wait_start():
        os._exit(0)
    rows = AppendOnlyFile(config.path, reader.header, config.rotate_at, beside_tests=False)
    check = interruption_check(config.interval)
    loop = SamplingLoop(reader.row, rows.append, config.interval, check, reader.last_row)
    loop.warnings = reader.warnings
    loop.run(time.monotonic, parent.wait, lambda: send("ready"))
    send(f"done {loop.rows} {loop.missed} {loop.dropped}", *loop.warnings)
    if (
        config.has_tests and not config.workers_dir and parent.is_dead()
    ):  # on other hosts the controller completes the files
        return os.path.dirname(config.path), rows, clock
    os._exit(0)  # the run waits for this end: skip the interpreter's shutdown


def raise_open_file_limit() -> None:
    """Raise the limit of open files to the maximum (getrlimit(2)): each process of the tests takes some."""
    if sys.platform != "win32":
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):  # a system that reports no limit, but has one
            pass


def interruption_check(interval: float) -> Callable[[float, float], None]:
    """Return a function that reports to the parent that the machine was suspended, or this process frozen or stopped.

    It is called after each wait, and checks once a second, or when the wait was far too long.

    Args:
        interval: Seconds between two waits.
    """
    freezes = FreezeDetector(ProcessorWait().seconds, max(REFRESH_S, WAITS_PER_REFRESH * interval))
    check_suspend = suspend_check()
    check_at = float("-inf")

    def check(due: float, at: float) -> None:
        nonlocal check_at
        if at < check_at and at - due < SHORTEST_S:
            return
        check_at = at + SUSPEND_CHECK_S
        check_suspend(at)
        if lost := freezes.lost(due, at):
            send(f"frozen {at - lost!r} {at!r}")

    return check


class ProcessorWait:
    """Reads for how long this process was ready to run and had no CPU, with the file kept open."""

    def __init__(self) -> None:
        self._schedstat = ProcFile(f"{PROC}/self/schedstat")

    def seconds(self) -> float:
        """Return the seconds so far; 0 where they are not known."""
        fields = self._schedstat.start().split()
        return int(fields[1]) / 1e9 if len(fields) > 1 else 0.0


def suspend_check() -> Callable[[float], None]:
    """Return a function that reports to the parent that the machine was suspended; a no-op on other systems."""
    if sys.platform != "linux":
        return lambda _: None

    def since_boot() -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    return SuspendDetector(since_boot, time.monotonic, lambda at, slept: send(f"slept {at!r} {slept!r}")).check


def send(*words: str) -> None:
    """Send a line to the parent, its words separated by tabs."""
    text = "\t".join(word.replace("\t", " ").replace("\n", " ") for word in words)
    try:
        os.write(1, text.encode("utf-8", "backslashreplace") + b"\n")
    except OSError:  # the parent is dead
        pass
