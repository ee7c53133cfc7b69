"""Threads of ours, which listen to the processes that we start."""

from __future__ import annotations

from _thread import start_new_thread
from sys import settrace
from threading import gettrace
from typing import TYPE_CHECKING

from pytest_twin._system.interruptible_event import InterruptSafeEvent

if TYPE_CHECKING:
    from collections.abc import Callable


def run_in_background(act: Callable[[], None]) -> InterruptSafeEvent:
    """Call something in a thread that ends with the process, if it has not ended before.

    It is none of those that `threading` lists: who looks there for what a test left running does not find ours, and it
    starts whatever a test has put in the place of `threading.Thread`.

    Returns:
        What is set when the call has ended.

    Raises:
        RuntimeError: The system has no more threads.
    """
    ended = InterruptSafeEvent()

    def run() -> None:
        try:
            settrace(gettrace())  # as `threading` has it: for coverage, and for debuggers
            act()
        finally:
            ended.set()

    start_new_thread(run, ())
    return ended
