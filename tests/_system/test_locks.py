"""Locks on files: of a report directory, which belongs to one run at a time, and of workers that run alone."""

from __future__ import annotations

import calendar
import errno
import json
import os
import platform
import re
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from pytest_twin._system import locks
from pytest_twin._system.locks import FileLock, LockedError
from pytest_twin.run_folder.folder import RunFolder, RunFolderError
from pytest_twin.run_folder.layout import LOCK

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals and locks of POSIX")
HOLDS = """
import sys, time
from pathlib import Path
from pytest_twin._system.locks import FileLock
lock = FileLock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that has the directory."""
    with subprocess.Popen([sys.executable, "-c", HOLDS, str(tmp_path / LOCK)], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_a_lock_whose_holder_cannot_be_written_is_not_held(tmp_path, monkeypatch):
    def fail(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(locks.os, "write", fail)
        with pytest.raises(OSError, match="No space left"):
            FileLock(tmp_path / "lock")
    assert not (tmp_path / "lock").exists()
    FileLock(tmp_path / "lock").release()


def test_the_second_run_is_told_whose_the_directory_is(tmp_path, holder):
    since = json.loads((tmp_path / LOCK).read_text())["since"]
    with pytest.raises(RunFolderError) as raised:
        RunFolder(tmp_path).make()
    assert str(raised.value) == (
        f"{tmp_path} is locked by process {holder.pid} on {platform.node()} (since {since}); "
        "wait for it to finish or choose another directory"
    )
    assert abs(time.time() - calendar.timegm(time.strptime(since, "%Y-%m-%dT%H:%M:%SZ"))) < 300


@posix
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_a_directory_is_free_as_soon_as_its_run_is_gone(tmp_path, holder, how):
    holder.send_signal(how)
    holder.wait()
    RunFolder(tmp_path).make()


@posix
def test_what_a_run_left_running_does_not_keep_the_next_one_out(tmp_path):
    lock = FileLock(tmp_path / LOCK)
    child = os.fork()
    if not child:
        time.sleep(600)
        os._exit(0)
    try:
        lock.release()
        subprocess.run([sys.executable, "-c", HOLDS.replace("600", "0"), str(tmp_path / LOCK)], check=True)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_a_lock_file_is_gone_when_its_run_is_over(tmp_path):
    folder = RunFolder(tmp_path / "report")
    folder.make()
    folder.make()  # it is ours already
    assert (folder / LOCK).exists()
    folder.release()
    folder.release()
    assert not (folder / LOCK).exists()


def test_what_a_killed_run_left_in_the_lock_file_is_of_no_account(tmp_path):
    (tmp_path / LOCK).write_text('{"pid": 1, "host": "elsewhere", "since": "2020-01-01T00:00:00Z"} and a longer tail')
    lock = FileLock(tmp_path / LOCK)
    assert json.loads((tmp_path / LOCK).read_text())["pid"] == os.getpid()
    lock.release()


def test_a_holder_that_has_not_said_yet_who_it_is_holds_it_too(tmp_path, monkeypatch):
    def refuse(_fd):
        raise OSError(errno.EAGAIN, "")

    monkeypatch.setattr(locks, "_lock", refuse)
    with pytest.raises(LockedError, match="another process"):
        FileLock(tmp_path / LOCK)


def test_a_file_system_without_locks_keeps_nobody_out(tmp_path, monkeypatch):
    def unsupported(_fd):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks, "_lock", unsupported)
    FileLock(tmp_path / LOCK).release()


@posix
def test_a_link_in_place_of_the_lock_file_is_not_followed(tmp_path):
    (tmp_path / "precious").write_text("mine")
    (tmp_path / LOCK).symlink_to(tmp_path / "precious")
    with pytest.raises(RunFolderError, match=r"cannot be written \(.+\); choose another directory"):
        RunFolder(tmp_path).make()
    assert (tmp_path / "precious").read_text() == "mine"


def refusal(tmp_path) -> str:
    with pytest.raises(RunFolderError) as raised:
        RunFolder(tmp_path).make()
    return str(raised.value)


def test_a_second_run_of_the_same_process_is_refused_as_that_of_another_one(tmp_path):
    folder = RunFolder(tmp_path)
    folder.make()
    for _ in range(2):
        before, _, after = refusal(tmp_path).partition(" (since ")
        assert before == f"{tmp_path} is locked by process {os.getpid()} on {platform.node()}"
        assert after.endswith("Z); wait for it to finish or choose another directory")
    # and the kernel's lock is still there
    done = subprocess.run(
        [sys.executable, "-c", HOLDS, str(tmp_path / LOCK)], capture_output=True, text=True, timeout=90, check=False
    )
    assert "LockedError" in done.stderr
    folder.release()
    RunFolder(tmp_path).make()


@posix
def test_a_fork_of_a_run_is_refused_too_until_the_run_ends(tmp_path):
    folder = RunFolder(tmp_path)
    folder.make()

    def refused_in_a_fork() -> bool:
        child = os.fork()
        if not child:
            try:
                refusal(tmp_path)
            except BaseException:  # noqa: BLE001 - whatever it is, this is a fork
                os._exit(0)
            os._exit(1)
        return bool(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

    assert refused_in_a_fork()
    folder.release()
    assert not refused_in_a_fork()


@posix
def test_a_lock_file_that_was_removed_keeps_nobody_out(tmp_path):
    folder = RunFolder(tmp_path)
    folder.make()
    (tmp_path / LOCK).unlink()
    RunFolder(tmp_path).make()


# Shared and exclusive

UNTIL_TOLD = -1
WORKER = """
import sys, time
from pathlib import Path
from pytest_twin._system.locks import SharedExclusiveLock
lock, alone, seconds = SharedExclusiveLock(Path(sys.argv[1])), sys.argv[2] == "alone", float(sys.argv[3])
print("there", flush=True)
with lock.hold(exclusive=alone):
    began = time.monotonic()
    print("in", flush=True)
    time.sleep(seconds) if seconds >= 0 else sys.stdin.readline()
    print(began, time.monotonic(), flush=True)
"""


@pytest.fixture
def worker(tmp_path):
    """Starts a worker that wants its turn."""
    running: list[subprocess.Popen[str]] = []

    def start(how: str, seconds: float) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", WORKER, str(tmp_path), how, str(seconds)]
        running.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        assert running[-1].stdout.readline() == "there\n"
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.communicate()


def is_in(process: subprocess.Popen[str]) -> subprocess.Popen[str]:
    """Wait until it has its turn."""
    assert process.stdout.readline() == "in\n"
    return process


def wait_until_it_waits(process: subprocess.Popen[str]) -> None:
    """Wait until it waits for a lock; where the kernel does not tell (proc_locks(5)), for a while."""
    for _ in range(6000 if sys.platform == "linux" else 50):
        time.sleep(0.01)
        if sys.platform == "linux" and re.search(rf"-> POSIX .* {process.pid} ", Path("/proc/locks").read_text()):
            return
    assert sys.platform != "linux", "it does not wait"


def span(process: subprocess.Popen[str]) -> tuple[float, float]:
    """When it began and when it ended."""
    began, ended = map(float, process.stdout.read().split()[-2:])
    return began, ended


@posix
def test_those_that_do_not_mind_run_together(worker):
    one = is_in(worker("together", 600))
    is_in(worker("together", 0))
    assert one.poll() is None


@posix
def test_one_that_is_alone_waits_for_the_others_and_they_for_it(worker):
    first = is_in(worker("together", UNTIL_TOLD))
    alone = worker("alone", 0.3)
    wait_until_it_waits(alone)
    last = worker("together", 0)
    wait_until_it_waits(last)
    print(file=first.stdin, flush=True)
    began, ended = span(alone)
    assert span(first)[1] <= began
    assert ended <= span(last)[0]


@posix
def test_two_that_want_to_be_alone_take_turns(worker):
    spans = sorted(span(process) for process in [worker("alone", 0.2) for _ in range(3)])
    assert all(before[1] <= after[0] for before, after in pairwise(spans))


@posix
@pytest.mark.parametrize("how", ["alone", "together"])
def test_a_worker_that_is_killed_holds_up_nobody(worker, how):
    dying = is_in(worker(how, 600))
    waiting = worker("alone", 0)
    dying.kill()
    assert span(waiting)


@posix
def test_one_that_is_killed_while_it_waits_holds_up_nobody(worker):
    first = is_in(worker("together", 600))
    waiting = worker("alone", 600)
    wait_until_it_waits(waiting)
    waiting.kill()
    is_in(worker("together", 0))
    assert first.poll() is None
