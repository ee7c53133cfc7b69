"""A single-threaded event loop for descriptors, signals, processes and timers.

Loads have a time of their own, which stands still while they are paused.
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


LONGEST_READ = 1 << 16  # from one descriptor, before the others are read


class Timers:
    """Calls that are due at a time, in the order of time and then of their addition."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callback]] = []
        self._numbers = count()

    def add(self, moment: float, call: Callback) -> None:
        """Add a call."""
        heapq.heappush(self._heap, (moment, next(self._numbers), call))

    def due_in(self, now: float) -> float | None:
        """Return the seconds until the next call, None if there is none."""
        return self._heap[0][0] - now if self._heap else None

    def run_next(self, now: float) -> bool:
        """Run the first call that is due; return False if none is."""
        if not self._heap or self._heap[0][0] > now:
            return False
        heapq.heappop(self._heap)[2]()
        return True


class EventLoop:
    """Waits for the next event and runs its callback.

    Of the timers that are due it runs one at a time, and looks at the descriptors in between: however many are due, it
    learns at once that a process has ended. After a time in which this process was frozen, it reads reports first, then
    calls `on_frozen`, and only then reads requests and signals: a load that is ended by one has not held meanwhile.

    Attributes:
        frozen_until: When the last time ended in which this process was frozen, by `time.monotonic`.
        on_frozen: Called with beginning and end of a time in which this process was frozen.
    """

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._load_timers, self._timers = Timers(), Timers()
        self._idle: deque[Callback] = deque()
        self._paused_at: float | None = None
        self._paused_before_s = 0.0  # in earlier pauses
        self._detector = FreezeDetector()
        self._requests: set[int] = set()  # the descriptors of requests and signals
        self._woke_at, self._cpu_s = math.inf, 0.0
        self.frozen_until = -math.inf
        self.on_frozen: Callable[[float, float], None] = lambda _began, _ended: None

    def now(self) -> float:
        """Return the time of loads: `time.monotonic` minus the time in which they were paused."""
        return (self._paused_at or time.monotonic()) - self._paused_before_s

    @property
    def paused_s(self) -> float:
        """Seconds in which loads were paused, including the present pause."""
        present = 0.0 if self._paused_at is None else time.monotonic() - self._paused_at
        return self._paused_before_s + present

    @property
    def is_paused(self) -> bool:
        """Whether the time of loads stands still."""
        return self._paused_at is not None

    def pause(self) -> None:
        """Stop the time of loads."""
        self._paused_at = self._paused_at or time.monotonic()

    def resume(self) -> None:
        """Let the time of loads go on."""
        if self._paused_at is not None:
            self._paused_before_s, self._paused_at = self.paused_s, None

    def skip(self, seconds: float) -> None:
        """Exclude the last seconds from the time of loads."""
        if not self.is_paused:
            self._paused_before_s += seconds

    def at(self, moment: float, call: Callback) -> None:
        """Run a call at a time of loads."""
        self._load_timers.add(moment, call)

    def after(self, seconds: float, call: Callback) -> None:
        """Run a call after some seconds, paused or not."""
        self._timers.add(time.monotonic() + seconds, call)

    def when_idle(self, call: Callback) -> None:
        """Run a call when nothing else is due."""
        self._idle.append(call)

    def run_once(self, at_most: float | None = None) -> None:
        """Wait for the next event, at most some seconds, and run its callback."""
        load_timer = None if self.is_paused else self._load_timers.due_in(self.now())
        idle = 0.0 if self._idle else None
        waits = [
            wait for wait in (load_timer, self._timers.due_in(time.monotonic()), idle, at_most) if wait is not None
        ]
        wait = max(0.0, min(waits)) if waits else None
        began = time.monotonic()
        lost = self._detector.lost(self._woke_at + time.process_time() - self._cpu_s, began)
        ready = self._selector.select(wait)
        ended = time.monotonic()
        lost += 0.0 if wait is None else self._detector.lost(began + wait, ended)
        self._woke_at, self._cpu_s = ended, time.process_time()
        for key, _ in ready:
            if not lost or key.fd not in self._requests:
                key.data()
        if lost:
            self.frozen_until = ended
            self.on_frozen(ended - lost, ended)
        is_busy = self._timers.run_next(time.monotonic())
        if not self.is_paused:
            is_busy |= self._load_timers.run_next(self.now())
        if not is_busy:
            for _ in range(len(self._idle)):
                self._idle.popleft()()

    def watch_requests(self, fd: int, receive: Callable[[bytes], None]) -> None:
        """Watch a descriptor whose data may end a load."""
        self._requests.add(self.watch(fd, receive))

    def watch(self, fd: int, receive: Callable[[bytes], None]) -> int:
        """Call back with whatever can be read from a descriptor, and once with nothing at its end.

        Returns:
            The descriptor that is waited for: a socket's on Windows.
        """
        source, read = _selectable(fd)

        def on_readable() -> None:
            data = read()
            if not data:
                self._selector.unregister(source)
            receive(data)

        self._selector.register(source, selectors.EVENT_READ, on_readable)
        return source

    def unwatch(self, fd: int) -> None:
        """Do not read from a descriptor any more, on platforms that have signals."""
        self._selector.unregister(fd)

    def watch_process(self, pid: int, on_exit: Callback) -> bool:
        """Call back when a process ends; return False if the kernel cannot tell (pidfd_open(2))."""
        fd = open_pidfd(pid)
        if fd is None:
            return False

        def on_readable() -> None:
            self._selector.unregister(fd)
            os.close(fd)
            on_exit()

        self._selector.register(fd, selectors.EVENT_READ, on_readable)
        return True

    def on_signals(self, numbers: list[signal.Signals], call: Callback) -> None:
        """Call back, from the loop, when a signal arrives."""
        reader, writer = _wakeup_pipe()
        signal.set_wakeup_fd(writer)  # a handler alone would not end the wait
        for number in numbers:
            signal.signal(number, lambda *_: None)

        def on_readable() -> None:
            reader.read(64)
            call()

        self._requests.add(self._selector.register(reader, selectors.EVENT_READ, on_readable).fd)


def _wakeup_pipe() -> tuple[io.RawIOBase, int]:
    """Return a reader that `select` accepts, and the descriptor that wakes it."""
    if sys.platform != "win32":
        read_end, write_end = os.pipe()
        os.set_blocking(write_end, False)
        return io.FileIO(read_end), write_end
    import socket

    reader, writer = socket.socketpair()
    writer.setblocking(False)
    return socket.SocketIO(reader, "r"), writer.detach()


def _selectable(fd: int) -> tuple[int, Callable[[], bytes]]:
    """Return a descriptor that `select` accepts, on Windows of a socket, and the function that reads it."""
    if sys.platform != "win32":
        return fd, lambda: os.read(fd, LONGEST_READ)
    receiver = socket_from_pipe(fd)
    return receiver.fileno(), lambda: receiver.recv(LONGEST_READ)
