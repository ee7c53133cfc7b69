"""The report directory: made, or refused in one line before any test."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from pytest_twin._system import stdlib
from pytest_twin.run_folder.folder import RunFolder, RunFolderError

pytestmark = [
    pytest.mark.fault("report directory"),
    pytest.mark.skipif(sys.platform == "win32", reason="POSIX owners and modes"),
]


def refused(path) -> str:
    """What is said of a directory that is not taken."""
    with pytest.raises(RunFolderError) as caught:
        RunFolder(path).make()
    return str(caught.value)


def test_one_that_is_missing_is_made_for_its_owner_only(tmp_path):
    RunFolder(tmp_path / "a" / "b").make()
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700


def test_one_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "report").touch()
    assert refused(tmp_path / "report") == f"{tmp_path / 'report'} is a file; give a directory"


def test_a_link_of_another_user_is_not_followed(tmp_path, monkeypatch):
    (tmp_path / "theirs").mkdir(mode=0o700)
    (tmp_path / "report").symlink_to("theirs")
    lstat, theirs = os.lstat, os.geteuid() + 1
    monkeypatch.setattr(stdlib.os, "lstat", lambda path: os.stat_result([*lstat(path)[:4], theirs, *lstat(path)[5:]]))
    path = tmp_path / "report"
    assert refused(path) == f"{path} is a symbolic link of another user; choose a directory of your own"
    assert list((tmp_path / "theirs").iterdir()) == []


def test_a_link_of_ones_own_may_lead_to_another_disk(tmp_path):
    (tmp_path / "large").mkdir()
    (tmp_path / "report").symlink_to("large")
    RunFolder(tmp_path / "report").make()


def test_a_link_to_nowhere_is_refused(tmp_path):
    (tmp_path / "report").symlink_to("nowhere")
    assert refused(tmp_path / "report") == f"{tmp_path / 'report'} cannot be created: File exists"
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("mode", [0o777, 0o1777])
def test_one_that_everybody_may_write_to_is_refused(tmp_path, mode):
    path = tmp_path / "report"
    path.mkdir()
    path.chmod(mode)
    assert refused(path) == f"{path} is world-writable; run chmod o-w on it, or choose another directory"
    assert list(path.iterdir()) == []


MAKE = """
from pathlib import Path
from pytest_twin.run_folder.folder import RunFolder
RunFolder(Path("report")).make()
"""


def test_one_that_is_read_only_is_refused(disk, tmp_path):
    read_only = ["sh", "-c", 'mount -o remount,bind,ro report && exec "$@"', "sh"]
    command = [*disk("1m"), *read_only, sys.executable, "-c", MAKE]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    last = done.stderr.splitlines()[-1]
    assert last.endswith(f"RunFolderError: {tmp_path / 'report'} cannot be written; choose another directory")


@pytest.mark.parametrize("kind", ["file", "link", "open"])
def test_it_is_one_usage_error_before_any_test(pytester, kind):
    path = pytester.path / "twin-report"
    if kind == "file":
        path.touch()
    elif kind == "link":
        path.symlink_to("nowhere")
    else:
        path.mkdir()
        path.chmod(0o777)
    pytester.makepyfile("def test_it(): open('it-ran', 'w').close()")
    result = pytester.runpytest("--twin")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = [line for line in result.errlines if line.startswith("ERROR:")]
    assert line.startswith(f"ERROR: --twin-report-dir: {path} ")
    assert not (pytester.path / "it-ran").exists()
