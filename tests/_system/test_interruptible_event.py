"""Waiting that may be interrupted anywhere."""

from __future__ import annotations

import threading
from itertools import count

import pytest

from pytest_twin._system.interruptible_event import InterruptSafeEvent


def is_stuck(function) -> bool:
    """Whether a thread that calls it does not come to its end."""
    thread = threading.Thread(target=function, daemon=True)
    thread.start()
    thread.join(5)
    return thread.is_alive()


@pytest.mark.parametrize("use", ["wait", "set", "clear"])
def test_wherever_it_is_interrupted_it_can_be_set_and_waited_for(interrupted, use):
    for at in count():
        latch = InterruptSafeEvent()
        if not interrupted(lambda latch=latch: latch.wait(0.001) if use == "wait" else getattr(latch, use)(), at):
            break
        assert not is_stuck(latch.set)
        assert latch.wait(5)
        latch.clear()
        assert not latch.wait(0.001)
    assert at > 5


def test_who_is_interrupted_with_the_lock_in_hand_holds_up_nobody(interrupted):
    for at in count():
        latch = InterruptSafeEvent()
        latch._lock.release()  # as it is when it is set while somebody waits for it
        go_on = interrupted(lambda latch=latch: latch.wait(0.001), at)
        latch.set()
        assert not is_stuck(latch.wait)
        if not go_on:
            break
    assert at > 5


def test_all_that_wait_go_on():
    latch = InterruptSafeEvent()
    threads = [threading.Thread(target=latch.wait, daemon=True) for _ in range(5)]
    for thread in threads:
        thread.start()
    latch.set()
    for thread in threads:
        thread.join(5)
    assert not any(thread.is_alive() for thread in threads)


def test_it_can_happen_again():
    latch = InterruptSafeEvent()
    for _ in range(2):
        assert not latch.wait(0)
        assert not latch.is_set()
        latch.set()
        latch.set()
        assert latch.wait(0)
        assert latch.is_set()
        latch.clear()
