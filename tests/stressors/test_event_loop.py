"""The loop of the supervisor: times, descriptors, processes, and a time of loads that can stand still."""

from __future__ import annotations

import os
import sys
import time

import pytest

from pytest_twin.stressors.supervisor.event_loop import EventLoop

linux = pytest.mark.skipif(sys.platform != "linux", reason="what the kernel does there")
posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX pipes")


def test_what_is_due_is_done_in_the_order_of_time():
    done: list[str] = []
    loop = EventLoop()
    now = time.monotonic()
    for moment, name in ((now - 1, "second"), (now - 2, "first"), (now - 1, "third"), (now + 60, "never")):
        loop.at(moment, lambda name=name: done.append(name))
    for _ in range(3):
        loop.run_once()
    assert done == ["first", "second", "third"]


@posix
def test_between_two_things_that_are_due_at_once_it_hears_what_there_is_to_hear():
    loop, happened = EventLoop(), []
    reader, writer = os.pipe()
    loop.watch(reader, lambda data: happened.append(data.decode()))
    os.write(writer, b"heard")
    for name in ("first", "second"):
        loop.at(time.monotonic() - 1, lambda name=name: happened.append(name))
        loop.after(0.0, lambda name=name: happened.append(f"other {name}"))
    loop.run_once()
    assert happened == ["heard", "other first", "first"]
    loop.run_once()
    assert happened == ["heard", "other first", "first", "other second", "second"]
    os.close(reader)
    os.close(writer)


def test_what_can_wait_is_done_when_nothing_else_is_due():
    loop, done = EventLoop(), []
    loop.when_idle(lambda: done.append("idle"))
    loop.at(time.monotonic() - 1, lambda: done.append("planned"))
    loop.run_once()
    assert done == ["planned"]
    loop.run_once()
    assert done == ["planned", "idle"]


@posix
def test_the_end_of_what_is_watched_is_heard_once():
    heard: list[bytes] = []
    loop = EventLoop()
    reader, writer = os.pipe()
    loop.watch(reader, heard.append)
    os.write(writer, b"a line\n")
    loop.run_once()
    os.close(writer)
    loop.run_once()
    loop.run_once(0.0)
    os.close(reader)
    assert heard == [b"a line\n", b""]


@linux
def test_the_end_of_a_process_is_heard(started):
    ended: list[bool] = []
    loop = EventLoop()
    process = started(sys.executable, "-S", "-c", "input()")
    loop.watch_process(process.pid, lambda: ended.append(True))
    loop.run_once(0.0)
    assert ended == []
    process.stdin.close()
    loop.run_once(60.0)
    assert ended == [True]


@linux
@pytest.mark.parametrize("error", [AttributeError, OSError])
def test_where_the_kernel_cannot_tell_of_a_process_the_loop_does_without(monkeypatch, error):
    def refuse(_pid: int) -> int:
        raise error

    monkeypatch.setattr(os, "pidfd_open", refuse)
    EventLoop().watch_process(os.getpid(), print)


def test_what_is_planned_waits_while_the_time_of_loads_stands_still():
    loop, done = EventLoop(), []
    loop.at(loop.now() + 0.05, lambda: done.append("planned"))
    loop.pause()
    loop.after(0.1, lambda: done.append("other"))
    before = loop.now()
    loop.run_once()
    assert (done, loop.now()) == (["other"], before)
    assert loop.paused_s >= 0.1  # the pause that lasts
    loop.resume()
    loop.run_once()
    assert done == ["other", "planned"]
    assert loop.paused_s >= 0.1
    before = time.monotonic()
    assert before - 1e-6 <= loop.now() + loop.paused_s <= time.monotonic() + 1e-6


def test_a_second_pause_changes_nothing_nor_does_a_resume_without_one():
    loop = EventLoop()
    loop.resume()
    loop.pause()
    paused_at = loop.now()
    loop.pause()
    assert loop.now() == paused_at
    assert loop.is_paused
