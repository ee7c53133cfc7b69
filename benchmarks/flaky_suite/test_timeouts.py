"""Waits that end too early, and waits that do not."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from work import work


def test_report_within_timeout() -> None:
    """A timeout of a future that is hardly longer than the work."""
    with ThreadPoolExecutor() as pool:
        assert pool.submit(work, 0.3).result(timeout=0.45)


def test_page_is_fast() -> None:
    """A limit of the elapsed time."""
    began = time.perf_counter()
    work(0.2)
    assert time.perf_counter() - began < 0.3


def test_index_after_wait() -> None:
    """A wait for an event that ignores the answer."""
    index: list[str] = []
    ready = threading.Event()

    def build() -> None:
        index.append(work(0.12))
        ready.set()

    threading.Thread(target=build).start()
    ready.wait(0.35)
    assert index == ["result"]


def test_async_reply_within_timeout() -> None:
    """A timeout of a coroutine that waits for a thread."""

    async def reply() -> str:
        return await asyncio.wait_for(asyncio.to_thread(work, 0.07), timeout=0.2)

    assert asyncio.run(reply())


def test_lock_is_free_in_time() -> None:
    """A lock with a timeout, of which another thread has to do something first."""
    lock, taken = threading.Lock(), threading.Event()

    def hold() -> None:
        with lock:
            taken.set()
            work(0.025)

    threading.Thread(target=hold).start()
    taken.wait()
    assert lock.acquire(timeout=0.3)


def test_report_without_timeout() -> None:
    """A future that is waited for without a timeout."""
    with ThreadPoolExecutor() as pool:
        assert pool.submit(work, 0.2).result()


def test_report_with_generous_timeout() -> None:
    """A timeout of a future that is much longer than the work."""
    with ThreadPoolExecutor() as pool:
        assert pool.submit(work, 0.1).result(timeout=60)


def test_page_is_cheap() -> None:
    """A limit of the CPU time, not of the elapsed time."""
    began = time.process_time()
    work(0.1)
    assert time.process_time() - began < 1


def test_index_after_event() -> None:
    """A wait for an event without a timeout."""
    index: list[str] = []
    ready = threading.Event()

    def build() -> None:
        index.append(work(0.05))
        ready.set()

    threading.Thread(target=build).start()
    ready.wait()
    assert index == ["result"]


def test_async_replies() -> None:
    """Coroutines that are gathered without a timeout."""

    async def replies() -> list[str]:
        return await asyncio.gather(*(asyncio.to_thread(work, 0.02) for _ in range(5)))

    assert len(asyncio.run(replies())) == 5


def test_pause_is_long_enough() -> None:
    """A lower limit of the elapsed time."""
    began = time.perf_counter()
    time.sleep(0.1)
    work(0.05)
    assert time.perf_counter() - began >= 0.1


@pytest.mark.parametrize("limit", [0.1, 0.5])
def test_hash_collides(limit: float) -> None:
    """A result that depends on chance."""
    work(0.02)
    assert int.from_bytes(os.urandom(4), "big") / 2**32 >= limit
