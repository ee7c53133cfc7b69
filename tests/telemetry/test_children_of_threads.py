"""The kernel gives the children of a thread that ends to another thread: no reader may miss them meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import pytest

from pytest_twin._system.procfs import ProcFile, ReopeningProcFile
from pytest_twin.stressors.constraint import process_tree
from pytest_twin.telemetry.process_counters import ProcessCounters
from pytest_twin.telemetry.process_tree_linux import LinuxProcess

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only on Linux does a child belong to a thread")


def by_counters() -> list[int]:
    meter = ProcessCounters()
    try:
        return list(meter.read_child_starts().living)
    finally:
        meter.close()


def by_tree() -> list[int]:
    process = LinuxProcess(os.getpid())
    try:
        assert process.read(detailed=False)
        return process.children()
    finally:
        process.close()


def by_constraint() -> list[int]:
    return process_tree.children(os.getpid())


@pytest.fixture
def orphan():
    """A child of a thread, and what ends the thread, after which the child belongs to the first one."""
    started, end, ids = threading.Event(), threading.Event(), []

    def start() -> None:
        ids.extend((subprocess.Popen(["sleep", "60"]), threading.get_native_id()))
        started.set()
        end.wait(60)

    thread = threading.Thread(target=start)
    thread.start()
    assert started.wait(60)
    child, thread_id = ids

    def end_thread() -> None:
        end.set()
        deadline = time.monotonic() + 60
        while os.path.exists(f"/proc/self/task/{thread_id}") and time.monotonic() < deadline:
            time.sleep(0.001)

    yield child.pid, end_thread
    end.set()
    thread.join()
    child.kill()
    child.wait()


@pytest.mark.parametrize(
    ("read", "owner", "method"),
    [
        (by_counters, ReopeningProcFile, "read"),
        (by_tree, ProcFile, "read_or_raise"),
        (by_constraint, process_tree, "read_kernel_file"),
    ],
)
def test_the_child_of_a_thread_that_ends_while_the_threads_are_read_is_found_once(
    orphan, monkeypatch, read, owner, method
):
    child, end_thread = orphan
    read_file = getattr(owner, method)

    def read_and_end(file) -> bytes:
        content = read_file(file)
        path = file if isinstance(file, str) else os.readlink(f"/proc/self/fd/{file._fd}")
        if path.endswith("/children"):
            end_thread()
        return content

    monkeypatch.setattr(owner, method, read_and_end)
    assert read().count(child) == 1
    assert read().count(child) == 1  # and afterwards, as a child of the first thread
