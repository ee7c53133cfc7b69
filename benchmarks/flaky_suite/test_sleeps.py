"""Sleeps instead of synchronization, and what can be done instead."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from work import work

FORK = multiprocessing.get_context("fork")


def write_later(path: Path, cpu_s: float) -> None:
    """Write a file after some work."""
    path.write_text(work(cpu_s))


def start(cpu_s: float, done: list[str]) -> threading.Thread:
    """Start a thread that has a result after some work."""
    thread = threading.Thread(target=lambda: done.append(work(cpu_s)))
    thread.start()
    return thread


def poll(condition: Callable[[], bool], seconds: float, pause: float = 0.01) -> bool:
    """Wait until a condition is true, at most for this long."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True


def test_thread_after_sleep() -> None:
    """A sleep that should be long enough for a thread."""
    done: list[str] = []
    start(0.06, done)
    time.sleep(0.3)
    assert done


def test_file_after_sleep(tmp_path: Path) -> None:
    """A sleep that should be long enough for another process."""
    process = FORK.Process(target=write_later, args=(tmp_path / "file", 0.06))
    process.start()
    time.sleep(0.35)
    written = (tmp_path / "file").exists()
    process.join()
    assert written


def test_poll_with_deadline() -> None:
    """A state that is polled until a deadline."""
    done: list[str] = []
    start(0.025, done)
    assert poll(lambda: bool(done), 0.3)


def test_retries() -> None:
    """Retries with growing pauses, which run out."""
    done: list[str] = []
    start(0.075, done)
    for attempt in range(5):
        time.sleep(0.011 * 2**attempt)
        if done:
            break
    assert done


def test_updates_one_after_another() -> None:
    """A race between threads that are kept apart by sleeps."""
    total = [0]

    def update(delay: float) -> None:
        time.sleep(delay)
        value = total[0]
        time.sleep(0.002)  # it is stored
        total[0] = value + 1

    threads = [threading.Thread(target=update, args=(0.06 * number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    work(0.15)
    for thread in threads:
        thread.join()
    assert total == [5]


def test_thread_after_join() -> None:
    """A thread that is joined."""
    done: list[str] = []
    start(0.06, done).join()
    assert done


def test_file_after_join(tmp_path: Path) -> None:
    """A process that is joined."""
    process = FORK.Process(target=write_later, args=(tmp_path / "file", 0.06))
    process.start()
    process.join()
    assert (tmp_path / "file").exists()


def test_poll_long_enough() -> None:
    """A state that is polled until a generous deadline."""
    done: list[str] = []
    start(0.05, done)
    assert poll(lambda: bool(done), 60)


def test_updates_with_a_lock() -> None:
    """Threads that use a lock."""
    total, lock = [0], threading.Lock()

    def update() -> None:
        with lock:
            value = total[0]
            time.sleep(0.002)
            total[0] = value + 1

    threads = [threading.Thread(target=update) for _ in range(10)]
    for thread in threads:
        thread.start()
    work(0.05)
    for thread in threads:
        thread.join()
    assert total == [10]


def test_retries_against_chance() -> None:
    """Retries of something that fails by chance, which run out."""
    assert any(os.urandom(1)[0] < 90 for _ in range(3))
