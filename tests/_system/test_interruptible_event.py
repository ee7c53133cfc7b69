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
    thread.join(60)
    return thread.is_alive()


@pytest.mark.parametrize("use", ["wait", "set", "clear"])
def test_wherever_it_is_interrupted_it_can_be_set_and_waited_for(interrupted, use):
    for at in count():
        event = InterruptSafeEvent()
        if not interrupted(lambda event=event: event.wait(0.001) if use == "wait" else getattr(event, use)(), at):
            break
        assert not is_stuck(event.set)
        assert event.wait(60)
        event.clear()
        assert not event.wait(0.001)
    assert at > 5


def test_who_is_interrupted_with_the_lock_in_hand_holds_up_nobody(interrupted):
    for at in count():
        event = InterruptSafeEvent()
        event._lock.release()  # as it is when it is set while somebody waits for it
        go_on = interrupted(lambda event=event: event.wait(0.001), at)
        event.set()
        assert not is_stuck(event.wait)
        if not go_on:
            break
    assert at > 5


def test_all_that_wait_go_on():
    event = InterruptSafeEvent()
    threads = [threading.Thread(target=event.wait, daemon=True) for _ in range(5)]
    for thread in threads:
        thread.start()
    event.set()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)


def test_it_can_happen_again():
    event = InterruptSafeEvent()
    for _ in range(2):
        assert not event.wait(0)
        assert not event.is_set()
        event.set()
        event.set()
        assert event.wait(0)
        assert event.is_set()
        event.clear()


def test_it_may_be_set_again_while_a_waiting_thread_wakes_up():
    class SetTwice:
        """The lock of the event, where the event is set before and after a waiting thread gets it."""

        def acquire(self, timeout):
            event.set()
            acquired = lock.acquire(timeout=timeout)
            event.set()
            return acquired

        def release(self):
            lock.release()

    event = InterruptSafeEvent()
    lock, event._lock = event._lock, SetTwice()
    assert event.wait(10)
    assert event.wait(10)
