"""The sampling process: asks the probes at a fixed interval and appends rows.

It is started by `sampler`, on Linux without site packages, and imports next to nothing: it should be there at once, be
small, and not disturb what it measures. It opens its file at the first byte on stdin, and ends at the second, at the
end of stdin, or when its parent is gone; then it writes a last row, for which it asks every probe, and tells how many
rows there were.
"""

from __future__ import annotations

import os
import select
import sys
import time
from operator import itemgetter

from pytest_twin._system.append_file import AppendOnlyFile
from pytest_twin.model.clock import Clock
from pytest_twin.model.columns import ELAPSED, TIMESTAMP, header, order
from pytest_twin.stressors.system.freeze_detector import FreezeDetector
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

GONE_WITHIN_S = 1.0  # a process that ends lets go of its files first
PARENT_CHECK_S = 1.0  # where the kernel cannot tell of the parent's end
SLEEP_CHECK_S = 1.0
SHORTEST_SLEEP_S = 0.5  # far more than what lies between two clocks that are read one after the other


class SamplingLoop:
    """The loop, with the world brought in by the front door."""

    def __init__(
        self,
        read: Callable[[float], str],
        write: Callable[[str], None],
        interval: float,
        look: Callable[[float], None] = lambda _: None,
        read_last: Callable[[float], str] | None = None,
        late: Callable[[float, float], None] = lambda _due, _at: None,
    ) -> None:
        """Prepare it.

        Args:
            read: Makes a row.
            write: Takes it.
            interval: Seconds between two.
            look: Called with the time of each row, before it.
            read_last: Makes the last row; None is like any other.
            late: Called when it has waited: until when it wanted to, and when it was.
        """
        self._read, self._write, self._interval, self._look = read, write, interval, look
        self._read_last, self._late = read_last or read, late
        self.rows = self.missed = self.dropped = 0
        self.warnings: list[str] = []

    def run(
        self, now: Callable[[], float], wait: Callable[[float], bool], begun: Callable[[], None] = lambda: None
    ) -> None:
        """Take rows at absolute times until `wait` says that it was interrupted, and then the last one.

        Times that are over before their row could be taken are skipped and counted.

        Args:
            now: The monotonic time.
            wait: Waits for so many seconds; says whether it was interrupted.
            begun: Called when whatever happens from now on will be in the rows.
        """
        began = now()
        self._read(began)
        begun()
        tick = 1
        while True:
            at = now()
            seconds = max(0.0, began + tick * self._interval - at)
            is_over = wait(seconds)
            self._late(at + seconds, now())
            if is_over:
                break
            self._take(now(), self._read)
            due = int((now() - began) / self._interval) + 1
            self.missed += max(0, due - tick - 1)
            tick = max(due, tick + 1)
        self._take(now(), self._read_last)

    def _take(self, at: float, read: Callable[[float], str]) -> None:
        self._look(at)
        row = read(at)
        try:
            self._write(row)
        except OSError as error:
            if not self.dropped:
                self.warnings.append(f"rows cannot be written: {error.strerror}")
            self.dropped += 1
        else:
            self.rows += 1


class SuspendDetector:
    """Notices that the machine was suspended, for which the monotonic clock stands still (clock_gettime(2))."""

    def __init__(
        self, since_boot: Callable[[], float], now: Callable[[], float], tell: Callable[[float, float], None]
    ) -> None:
        """Begin.

        Args:
            since_boot: Seconds since the machine was started, those included in which it was suspended.
            now: The monotonic time.
            tell: Called with the monotonic time, and the seconds that were slept.
        """
        self._since_boot, self._now, self._tell = since_boot, now, tell
        self._due = float("-inf")
        self._ahead: float | None = None  # of the monotonic clock

    def look(self, at: float) -> None:
        """Look now and then; this is called for every row."""
        if at < self._due:
            return
        since_boot, now = self._since_boot(), self._now()
        if self._now() - at > SHORTEST_SLEEP_S:  # this process waited for a CPU, maybe between the two clocks
            return
        self._due = at + SLEEP_CHECK_S
        ahead = since_boot - now
        if self._ahead is not None and ahead - self._ahead > SHORTEST_SLEEP_S:
            self._tell(at, ahead - self._ahead)
        self._ahead = ahead


class RowReader:
    """Turns what the probes read into lines of the dataset."""

    def __init__(self, clock: Clock, context: ProbeContext, extra: Sequence[str] = ()) -> None:
        self._clock = clock
        found = probes.find_modules(extra)
        self._values = ProbeRunner(found, context, extra)
        self.warnings = self._values.warnings
        columns = (TIMESTAMP, ELAPSED, *probes.all_columns(found, context))
        places = order(columns)
        self._ordered = itemgetter(*places)
        self._columns: tuple[Column, ...] = self._ordered(columns)
        self.header = header(self._columns) + "\n"

    def row(self, at: float, is_last: bool = False) -> str:
        """One line of the dataset; for the last one, every probe is asked."""
        elapsed = self._clock.elapsed(at)
        cells = self._clock.stamp(elapsed), f"{elapsed:.{ELAPSED.digits}f}", *self._values.cells(at, is_last)
        return ",".join(self._ordered(cells)) + "\n"

    def values(self, at: float) -> list[tuple[Column, Value]]:
        """One row as (column, value) pairs, in the order of the file."""
        elapsed = self._clock.elapsed(at)
        values = self._clock.stamp(elapsed), elapsed, *self._values.read(at)
        return list(zip(self._columns, self._ordered(values), strict=True))


class ParentWatcher:
    """Who started this process: one byte on our stdin says go, one more or its end says stop, as does being gone."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._watched: list[Any] = [0]
        pidfd = open_pidfd(pid)
        self._has_pidfd = pidfd is not None
        if pidfd is not None:
            self._watched.append(pidfd)

    def lets_go(self) -> bool:
        """Wait for its go; False if none comes any more."""
        if sys.platform != "win32":
            while not self.wait(PARENT_CHECK_S):
                pass
            return os.getppid() == self._pid and bool(os.read(0, 1))
        went = bool(os.read(0, 1))
        self._watched = [socket_from_pipe(0)]
        return went

    def is_gone(self) -> bool:
        """Whether it ended before it said stop; Windows does not tell."""
        if sys.platform == "win32" or (select.select([0], (), (), 0)[0] and os.read(0, 1)):
            return False
        deadline = time.monotonic() + GONE_WITHIN_S
        while os.getppid() == self._pid and time.monotonic() < deadline:
            time.sleep(GONE_WITHIN_S / 100)
        return os.getppid() != self._pid  # else a test has closed our end of its pipe, and the run goes on

    def wait(self, seconds: float) -> bool:
        """Wait, and say whether it wants us to stop."""
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
        config.parent_pid, has_tests=config.has_tests, per_core=config.per_core, workers_dir=config.workers_dir
    )
    clock = Clock(config.began, config.epoch)
    raise_open_file_limit()
    reader = RowReader(clock, context, config.probes)
    starter = ParentWatcher(config.parent_pid)
    if not starter.lets_go():
        os._exit(0)
    rows = AppendOnlyFile(config.path, reader.header, config.rotate_at)
    sampling = SamplingLoop(
        reader.row,
        rows.append,
        config.interval,
        suspend_check(),
        lambda at: reader.row(at, is_last=True),
        freeze_check(),
    )
    sampling.warnings = reader.warnings
    sampling.run(time.monotonic, starter.wait, lambda: send("ready"))
    send(f"done {sampling.rows} {sampling.missed} {sampling.dropped}", *sampling.warnings)
    if config.has_tests and not config.workers_dir and starter.is_gone():  # of other hosts the controller tells that
        return os.path.dirname(config.path), rows, clock
    os._exit(0)  # the tests' run waits for us: do not take the interpreter apart


def raise_open_file_limit() -> None:
    """Let this process have as many open files as it may (getrlimit(2)): each process of the tests takes some."""
    if sys.platform != "win32":
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):  # a system that says there is no limit, and has one
            pass


def suspend_check() -> Callable[[float], None]:
    """What looks whether the machine was suspended; nothing where no clock tells."""
    if sys.platform != "linux":
        return lambda _: None

    def since_boot() -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    return SuspendDetector(since_boot, time.monotonic, lambda at, slept: send(f"slept {at!r} {slept!r}")).look


def freeze_check() -> Callable[[float, float], None]:
    """What tells the parent of a time in which this process was frozen or stopped."""
    detector = FreezeDetector()

    def look(due: float, at: float) -> None:
        if lost := detector.lost(due, at):
            send(f"frozen {at - lost!r} {at!r}")

    return look


def send(*words: str) -> None:
    """One line for the parent, its parts between tabs."""
    text = "\t".join(word.replace("\t", " ").replace("\n", " ") for word in words)
    try:
        os.write(1, text.encode("utf-8", "backslashreplace") + b"\n")
    except OSError:  # nobody listens any more
        pass
