"""The wish that a subcommand ends, which a signal handler may tell."""

from __future__ import annotations

from queue import Empty, SimpleQueue


class Stop:
    """Set once, from a signal handler too, and waited for by the thread that the handler interrupts.

    It is no `threading.Event`: a handler that sets one waits for a lock, and for ever where the thread that it
    interrupted holds it. A `SimpleQueue` is made for that.
    """

    def __init__(self) -> None:
        self._said: SimpleQueue[None] = SimpleQueue()
        self._is_set = False

    def set(self) -> None:
        """Have what runs end."""
        self._is_set = True
        self._said.put(None)

    def is_set(self) -> bool:
        """Whether it should end."""
        return self._is_set

    def wait(self, seconds: float) -> bool:
        """Wait that long at most, and say whether it should end."""
        if not self._is_set:
            try:
                self._said.get(timeout=seconds)
            except Empty:
                pass
        return self._is_set
