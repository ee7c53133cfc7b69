"""An event that survives interrupts, and background threads that set one at their end."""

from __future__ import annotations

import math
from _thread import start_new_thread
from sys import settrace
from threading import Lock, gettrace
from typing import TYPE_CHECKING

from pytest_twin._system.clock import monotonic

if TYPE_CHECKING:
    from collections.abc import Callable

RETRY_EVERY_S = 1.0


class InterruptSafeEvent:
    """A `threading.Event` for a waiting thread that may be interrupted.

    An Event acquires and releases its lock in Python code. If Ctrl-C raises KeyboardInterrupt in there, the lock stays
    acquired, and the thread that sets the event waits for ever; or RuntimeError is raised in its place, and the
    interrupt is lost. Here each acquisition of a lock is one call, which happens or does not.
    """

    __slots__ = ("_is_set", "_lock")

    def __init__(self) -> None:
        self._is_set = False
        self._lock = Lock()  # acquired as long as the event is not set
        self._lock.acquire()

    def is_set(self) -> bool:
        """Return whether the event is set."""
        return self._is_set

    def set(self) -> None:
        """Set the event and wake all waiting threads."""
        self._is_set = True
        self._release()

    def clear(self) -> None:
        """Reset the event."""
        self._is_set = False
        self._lock.acquire(blocking=False)

    def wait(self, seconds: float = math.inf) -> bool:
        """Wait until the event is set or the time is over, and return whether it is set."""
        until = monotonic() + seconds
        while not self._is_set and (left := until - monotonic()) > 0:
            # look again now and then: an interrupt may have kept another waiting thread from releasing the lock
            if self._lock.acquire(timeout=min(left, RETRY_EVERY_S)) and self._is_set:
                self._release()
        return self._is_set

    def _release(self) -> None:
        try:
            self._lock.release()
        except RuntimeError:  # it was set already, or was set again while a waiting thread held the lock
            pass


def run_in_background(call: Callable[[], None]) -> InterruptSafeEvent:
    """Run a call in a daemon thread.

    `threading` does not list the thread: tests that look there for threads that were left running do not find it, and
    it starts whatever a test has put in the place of `threading.Thread`.

    Returns:
        An event that is set when the call has ended.

    Raises:
        RuntimeError: The system has no more threads.
    """
    ended = InterruptSafeEvent()

    def run() -> None:
        try:
            settrace(gettrace())  # as `threading` does, for coverage and debuggers
            call()
        finally:
            ended.set()

    start_new_thread(run, ())
    return ended
