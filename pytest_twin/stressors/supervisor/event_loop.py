"""One selector and one thread: descriptors, signals, processes and times to wait for.

Loads are planned on a clock of their own, which stands still while they are paused.
"""

from __future__ import annotations

import heapq
import io
import math
import os
import selectors
import signal
import sys
import time
from collections import deque
from itertools import count

from pytest_twin.stressors.system.freeze_detector import FreezeDetector
from pytest_twin.stressors.system.parent import open_pidfd, socket_from_pipe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Callback = Callable[[], None]


LONGEST_READ = 1 << 16  # of one descriptor, before the others get their turn


class Timers:
    """What to do when; of two things with the same time, what came first."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callback]] = []
        self._order = count()

    def add(self, moment: float, act: Callback) -> None:
        """Do that at that time."""
        heapq.heappush(self._heap, (moment, next(self._order), act))

    def due_in(self, now: float) -> float | None:
        """Seconds until the next, None where there is none."""
        return self._heap[0][0] - now if self._heap else None

    def run_next(self, now: float) -> bool:
        """Do the first thing whose time has come; False if there is none."""
        if not self._heap or self._heap[0][0] > now:
            return False
        heapq.heappop(self._heap)[2]()
        return True


class EventLoop:
    """Waits for what comes next, and does it.

    Of what is due at the same time it does one thing a turn, and looks at its descriptors in between: however much
    is due, it hears at once of a process that ended.
    """

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._planned, self._others = Timers(), Timers()
        self._idle: deque[Callback] = deque()
        self._paused_at: float | None = None
        self._paused_before_s = 0.0  # in the pauses that are over
        self._detector = FreezeDetector()
        self.kept_until = -math.inf  # when the last time was over in which this process could not run
        self.kept: Callable[[float, float], None] = lambda _began, _ended: None  # called after a time without a turn

    def now(self) -> float:
        """The time of loads: `time.monotonic`, less the time in which they were paused."""
        return (self._paused_at or time.monotonic()) - self._paused_before_s

    @property
    def paused_s(self) -> float:
        """Seconds in which they were paused, the pause that lasts included."""
        lasts = 0.0 if self._paused_at is None else time.monotonic() - self._paused_at
        return self._paused_before_s + lasts

    @property
    def is_paused(self) -> bool:
        """Whether the time of loads stands still."""
        return self._paused_at is not None

    def pause(self) -> None:
        """Let the time of loads stand still."""
        self._paused_at = self._paused_at or time.monotonic()

    def resume(self) -> None:
        """Let it go on."""
        if self._paused_at is not None:
            self._paused_before_s, self._paused_at = self.paused_s, None

    def skip(self, seconds: float) -> None:
        """Have the time of loads not count those that are just over."""
        if not self.is_paused:
            self._paused_before_s += seconds

    def at(self, moment: float, act: Callback) -> None:
        """Do that at that time of loads."""
        self._planned.add(moment, act)

    def after(self, seconds: float, act: Callback) -> None:
        """Do that after so many seconds, paused or not."""
        self._others.add(time.monotonic() + seconds, act)

    def when_idle(self, act: Callback) -> None:
        """Do that when nothing is due."""
        self._idle.append(act)

    def run_once(self, at_most: float | None = None) -> None:
        """Wait for what comes next, and do it."""
        planned = None if self.is_paused else self._planned.due_in(self.now())
        idle = 0.0 if self._idle else None
        waits = [wait for wait in (planned, self._others.due_in(time.monotonic()), idle, at_most) if wait is not None]
        wait = max(0.0, min(waits)) if waits else None
        began = time.monotonic()
        heard = self._selector.select(wait)
        ended = time.monotonic()
        lost = 0.0 if wait is None else self._detector.lost(began + wait, ended)
        for key, _ in heard:
            key.data()
        if lost:
            self.kept_until = ended
            self.kept(ended - lost, ended)
        is_busy = self._others.run_next(time.monotonic())
        if not self.is_paused:
            is_busy |= self._planned.run_next(self.now())
        if not is_busy:
            for _ in range(len(self._idle)):
                self._idle.popleft()()

    def watch(self, fd: int, hear: Callable[[bytes], None]) -> None:
        """Hand on whatever can be read there; at its end an empty string, once."""
        source, read = _selectable(fd)

        def heard() -> None:
            data = read()
            if not data:
                self._selector.unregister(source)
            hear(data)

        self._selector.register(source, selectors.EVENT_READ, heard)

    def watch_process(self, pid: int, ended: Callback) -> bool:
        """Call back when that process ends; False where the kernel cannot tell (pidfd_open(2))."""
        fd = open_pidfd(pid)
        if fd is None:
            return False

        def end() -> None:
            self._selector.unregister(fd)
            os.close(fd)
            ended()

        self._selector.register(fd, selectors.EVENT_READ, end)
        return True

    def on_signals(self, numbers: list[signal.Signals], act: Callback) -> None:
        """Call back, from the loop, when one of these signals comes."""
        woken, waker = _wakeful()
        signal.set_wakeup_fd(waker)  # a handler alone would not end the wait
        for number in numbers:
            signal.signal(number, lambda *_: None)

        def wake() -> None:
            woken.read(64)
            act()

        self._selector.register(woken, selectors.EVENT_READ, wake)


def _wakeful() -> tuple[io.RawIOBase, int]:
    """The two ends of something that `select` takes and a signal can write to."""
    if sys.platform != "win32":
        ours, theirs = os.pipe()
        os.set_blocking(theirs, False)
        return io.FileIO(ours), theirs
    import socket

    reader, writer = socket.socketpair()
    writer.setblocking(False)
    return socket.SocketIO(reader, "r"), writer.detach()


def _selectable(fd: int) -> tuple[int, Callable[[], bytes]]:
    """A descriptor that `select` takes, and how to read it.

    On Windows only a socket is one, so a thread pumps into a pair of them.
    """
    if sys.platform != "win32":
        return fd, lambda: os.read(fd, LONGEST_READ)
    receiver = socket_from_pipe(fd)
    return receiver.fileno(), lambda: receiver.recv(LONGEST_READ)
