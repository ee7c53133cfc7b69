"""A report directory is one run's at a time."""

from __future__ import annotations

import errno
import json
import os
import platform
import signal
import subprocess
import sys
import time

import pytest

from pytest_twin._system import file_lock as claiming
from pytest_twin._system.file_lock import FileLock, LockedError
from pytest_twin.run_folder.folder import RunFolder, RunFolderError
from pytest_twin.run_folder.layout import LOCK

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
HOLDS = """
import sys, time
from pathlib import Path
from pytest_twin._system.file_lock import FileLock
kept = FileLock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that has the directory."""
    with subprocess.Popen([sys.executable, "-c", HOLDS, str(tmp_path / LOCK)], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_the_second_run_is_told_whose_the_directory_is(tmp_path, holder):
    since = json.loads((tmp_path / LOCK).read_text())["since"]
    with pytest.raises(RunFolderError) as raised:
        RunFolder(tmp_path).make()
    assert str(raised.value) == (
        f"{tmp_path} is in use by process {holder.pid} on {platform.node()}, since {since}; "
        "wait for its end, or give another directory"
    )
    assert abs(time.time() - time.mktime(time.strptime(since, "%Y-%m-%dT%H:%M:%SZ")) + time.timezone) < 60


@posix
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_a_directory_is_free_as_soon_as_its_run_is_gone(tmp_path, holder, how):
    holder.send_signal(how)
    holder.wait()
    RunFolder(tmp_path).make()


@posix
def test_what_a_run_left_running_does_not_keep_the_next_one_out(tmp_path):
    claim = FileLock(tmp_path / LOCK)
    child = os.fork()
    if not child:
        time.sleep(60)
        os._exit(0)
    try:
        claim.release()
        subprocess.run([sys.executable, "-c", HOLDS.replace("60", "0"), str(tmp_path / LOCK)], check=True)
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
    claim = FileLock(tmp_path / LOCK)
    assert json.loads((tmp_path / LOCK).read_text())["pid"] == os.getpid()
    claim.release()


def test_a_holder_that_has_not_said_yet_who_it_is_holds_it_too(tmp_path, monkeypatch):
    def held(_fd):
        raise OSError(errno.EAGAIN, "")

    monkeypatch.setattr(claiming, "_lock", held)
    with pytest.raises(LockedError, match="another process"):
        FileLock(tmp_path / LOCK)


def test_a_file_system_without_locks_keeps_nobody_out(tmp_path, monkeypatch):
    def unsupported(_fd):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(claiming, "_lock", unsupported)
    FileLock(tmp_path / LOCK).release()


@posix
def test_a_link_in_place_of_the_lock_file_is_not_followed(tmp_path):
    (tmp_path / "precious").write_text("mine")
    (tmp_path / LOCK).symlink_to(tmp_path / "precious")
    with pytest.raises(RunFolderError, match=r"cannot be written \(.+\); give another directory"):
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
        before, _, after = refusal(tmp_path).partition(", since ")
        assert before == f"{tmp_path} is in use by process {os.getpid()} on {platform.node()}"
        assert after.endswith("Z; wait for its end, or give another directory")
    # and the kernel's lock is still there
    done = subprocess.run(
        [sys.executable, "-c", HOLDS, str(tmp_path / LOCK)], capture_output=True, text=True, timeout=90, check=False
    )
    assert "HeldError" in done.stderr
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
