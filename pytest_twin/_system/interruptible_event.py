"""Something that is waited for, and that another thread or a signal handler tells of."""

from __future__ import annotations

import math
from threading import Lock

from pytest_twin._system.clock import monotonic

LOOK_EVERY_S = 1.0


class InterruptSafeEvent:
    """What `threading.Event` is for, where the thread that waits may be interrupted.

    An Event has its lock taken and given back in Python code. Where Ctrl-C raises KeyboardInterrupt in there, the lock
    stays taken, and who sets the event waits for ever, and so does all that waits for that; or RuntimeError comes in
    its place, and the interrupt is lost. Here each taking of a lock is one call, which happens or does not.
    """

    __slots__ = ("_is_set", "_lock")

    def __init__(self) -> None:
        self._is_set = False
        self._lock = Lock()  # taken as long as it is not set
        self._lock.acquire()

    def is_set(self) -> bool:
        """Whether it has happened."""
        return self._is_set

    def set(self) -> None:
        """It has happened: whoever waits goes on."""
        self._is_set = True
        try:
            self._lock.release()
        except RuntimeError:  # it had happened before
            pass

    def clear(self) -> None:
        """It may happen once more."""
        self._is_set = False
        self._lock.acquire(blocking=False)

    def wait(self, seconds: float = math.inf) -> bool:
        """Wait that long at most, and say whether it has happened."""
        until = monotonic() + seconds
        while not self._is_set and (left := until - monotonic()) > 0:
            # now and then it looks by itself: an interrupt may have kept one who waits too from giving the lock back
            if self._lock.acquire(timeout=min(left, LOOK_EVERY_S)) and self._is_set:
                self._lock.release()
        return self._is_set
