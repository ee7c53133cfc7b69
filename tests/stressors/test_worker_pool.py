"""The pool of idle workers."""

from __future__ import annotations

import sys

import psutil
import pytest

from pytest_twin.stressors.spec.request import LoadRequest
from pytest_twin.stressors.supervisor.event_loop import EventLoop
from pytest_twin.stressors.supervisor.worker_pool import MAX_IDLE, WorkerPool

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
REQUEST = LoadRequest(unit="count", profile=[(0, 1)])
FORKS = [pytest.param(True, marks=pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")), False]


@pytest.fixture(params=FORKS, ids=["forked", "spawned"])
def loop_and_pool(request):
    loop = EventLoop()
    pool = WorkerPool(loop, fork=request.param)
    yield loop, pool
    pool.close()


def pids(workers):
    return {each.pid for each in workers}


def end(workers):
    for each in workers:
        each.kill()
        each.reap()


def acquire(pool, count):
    pool.admit(count)
    return [pool.acquire(REQUEST) for _ in range(count)]


def used_and_filled(loop, pool, count):
    """Have so many workers at work, and then so many waiting."""
    end(acquire(pool, count))
    pool.release(count)
    for _ in range(count + 1):
        loop.run_once(0)


def children():
    return {each.pid for each in psutil.Process().children()}


def test_before_the_first_load_nobody_waits(loop_and_pool):
    loop, _ = loop_and_pool
    before = children()
    loop.run_once(0)
    assert children() == before


def test_after_a_load_as_many_wait_as_it_took_and_the_next_gets_them(loop_and_pool):
    loop, pool = loop_and_pool
    before = children()
    used_and_filled(loop, pool, 3)
    waiting = children() - before
    assert len(waiting) == 3
    taken = acquire(pool, 2)
    assert pids(taken) < waiting
    end(taken)


def test_one_that_died_while_it_waited_is_not_given_away(loop_and_pool, eventually):
    loop, pool = loop_and_pool
    before = children()
    used_and_filled(loop, pool, 1)
    (waiting,) = children() - before
    psutil.Process(waiting).kill()
    eventually(lambda: psutil.Process(waiting).status() == psutil.STATUS_ZOMBIE)
    taken = acquire(pool, 1)
    assert pids(taken) != {waiting}
    end(taken)


def test_there_are_never_more_waiting_than_a_few(loop_and_pool, monkeypatch):
    loop, pool = loop_and_pool
    monkeypatch.setattr("pytest_twin.stressors.supervisor.worker_pool.MAX_IDLE", 2)
    before = children()
    used_and_filled(loop, pool, 3)
    assert len(children() - before) == 2 < MAX_IDLE


def test_at_the_end_nobody_waits(loop_and_pool):
    loop, pool = loop_and_pool
    before = children()
    used_and_filled(loop, pool, 2)
    pool.close()
    loop.run_once(0)
    assert children() == before


def test_more_workers_than_the_machine_can_serve_are_refused_while_others_are_at_work(loop_and_pool, monkeypatch):
    _, pool = loop_and_pool
    monkeypatch.setattr(pool, "_max_busy", 4)
    pool.admit(3)
    with pytest.raises(ValueError, match=r"^3 workers are busy; the maximum is 4$"):
        pool.admit(2)
    pool.admit(1)
    pool.release(4)
    pool.admit(5)  # one load alone is for its stressor to judge
