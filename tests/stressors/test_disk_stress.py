"""The disk stressor, by hand and under the supervisor."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from stressors import disk_stress
from stressors.capacity import MIB
from stressors.disk_stress import BULK_BLOCK, PAGE, Target

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX: an open file may lose its name")
linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc tells of open files")
DISK = {"module": "stressors.disk_stress"}
Usage = namedtuple("Usage", "total used free")  # noqa: PYI024 - as shutil has it


def test_it_runs_from_a_bare_checkout_and_says_what_it_did(run, tmp_path):
    path = tmp_path / "stress_file.bin"
    status, said, errors = run("disk_stress.py", "--size_mb", 20, "--block_mb", 1, "--path", path)
    assert (status, errors) == (0, "")
    assert re.fullmatch(
        r"disk load ready: 1 process\(es\)\ndisk load ended \(done\): \d\.\d s, \d\.\d\d CPU s, 20 MiB written\n", said
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("flag", "value", "message"),
    [
        ("--block_mb", "0", "'0' is not a number from 0.01 up"),
        ("--size_mb", "-5", "'-5' is not a number from 1 up"),
        ("--sleep", "-1", "'-1' is not a number from 0 up"),
        ("--duration", "inf", "'inf' is not a number from 0 up"),
    ],
)
def test_nonsense_is_refused_with_a_reason(run, flag, value, message):
    status, said, errors = run("disk_stress.py", flag, value)
    assert (status, said) == (2, "")
    assert errors.splitlines()[-1] == f"disk_stress.py: error: argument {flag}: {message}"


def test_its_help_names_every_flag(run):
    status, said, _ = run("disk_stress.py", "--help")
    assert status == 0
    flags = {"--help", "--size_mb", "--block_mb", "--path", "--sleep", "--duration"}
    assert set(re.findall(r"--\w+", said)) == flags


def test_a_file_that_exists_is_left_untouched(run, tmp_path):
    path = tmp_path / "precious.bin"
    path.write_bytes(b"precious")
    status, _, errors = run("disk_stress.py", "--size_mb", 1, "--path", path)
    assert status == 2
    assert errors.splitlines()[-1] == f"disk_stress.py: error: --path: {path} exists; give a name that is free"
    assert path.read_bytes() == b"precious"


@posix
def test_a_link_to_nowhere_is_not_followed(run, tmp_path):
    path = tmp_path / "link"
    path.symlink_to(tmp_path / "elsewhere")
    assert run("disk_stress.py", "--size_mb", 1, "--path", path)[0] == 2
    assert [each.name for each in tmp_path.iterdir()] == ["link"]


def test_a_folder_that_is_not_there_makes_it_fail(run, tmp_path):
    path = tmp_path / "nowhere" / "file"
    status, said, errors = run("disk_stress.py", "--path", path)
    assert (status, errors) == (1, "")
    assert said.startswith(f"disk load failed ({path.parent} is no directory): 0.0 s, 0.0")


def unnamed_file(pid: int) -> os.stat_result:
    """The one regular file that a process has open."""
    found = [os.stat(each) for each in Path(f"/proc/{pid}/fd").iterdir() if each.exists() and each.is_file()]
    unnamed = [each for each in found if each.st_nlink == 0]
    assert len(unnamed) == 1
    return unnamed[0]


@linux
@pytest.mark.parametrize("flags", [["--path", "stress_file.bin"], []])
def test_its_file_is_nowhere_to_be_seen_while_it_writes(start, tmp_path, flags):
    program = start("disk_stress.py", "--size_mb", 20, "--block_mb", 1, "--duration", 60, *flags)
    (worker,) = program.workers
    assert list(tmp_path.iterdir()) == []
    assert 0 < unnamed_file(worker.pid).st_size <= 20 * MIB
    program.process.terminate()
    assert program.end()[0] == 0
    assert not worker.is_running()  # and with it went the file and its space
    assert list(tmp_path.iterdir()) == []


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_cleanly(start, number):
    program = start("disk_stress.py", "--size_mb", 8, "--block_mb", 1, "--sleep", 0.01, "--duration", 60)
    workers = program.workers
    program.process.send_signal(number)
    status, said = program.end()
    assert status == 0
    assert re.fullmatch(r"disk load ended \(stopped\): \d\.\d s, \d\.\d\d CPU s, \d+ MiB written\n", said)
    assert not any(worker.is_running() for worker in workers)


def test_it_writes_no_more_than_the_amount_when_a_block_is_larger(run):
    status, said, _ = run("disk_stress.py", "--size_mb", 2, "--block_mb", 10)
    assert status == 0
    assert said.endswith(" 2 MiB written\n")


def test_an_amount_need_not_be_a_whole_page(supervisor, tmp_path):
    amount = 5 * MIB + 1
    request = {**DISK, "unit": "bytes", "profile": [[0, amount]], "options": {"directory": str(tmp_path)}}
    supervisor.applied(**request)
    end = supervisor.hear()
    assert (end["event"], end["reason"]) == ("end", "done")
    assert end["achieved"]["written_bytes"] == amount


def test_a_rate_is_held(supervisor, tmp_path):
    rate = 8 * MIB
    request = {**DISK, "unit": "bytes/s", "profile": [[0, rate]], "options": {"directory": str(tmp_path)}}
    supervisor.applied(**request, duration=1.5)
    end = supervisor.hear()
    assert end["achieved"]["written_bytes"] == pytest.approx(rate * (end["at"] - end["since"]), rel=0.3)


def test_as_fast_as_it_goes_is_faster_than_a_rate(supervisor, tmp_path):
    directory = {"options": {"directory": str(tmp_path)}}
    supervisor.applied("most", **DISK, unit="max", profile=[[0, 1]], duration=0.5, **directory)
    most = supervisor.hear()["achieved"]["written_bytes"]
    supervisor.applied("rate", **DISK, unit="bytes/s", profile=[[0, MIB]], duration=0.5, **directory)
    assert most > 2 * supervisor.hear()["achieved"]["written_bytes"]


def test_a_target_goes_round_in_the_room_it_has(tmp_path):
    with Target(str(tmp_path)) as target:
        target.room_for(2 * BULK_BLOCK)
        target.write(5 * BULK_BLOCK + PAGE)
        assert target.written == 5 * BULK_BLOCK + PAGE
        assert os.fstat(target._fd).st_size == 2 * BULK_BLOCK


def test_a_full_disk_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(disk_stress.shutil, "disk_usage", lambda _: Usage(1000 * MIB, 744 * MIB, 256 * MIB))
    with Target(str(tmp_path)) as target, pytest.raises(OSError, match="free") as caught:
        target.room_for(MIB)
    assert str(caught.value) == f"{tmp_path} has 256 MiB free, which is left to everybody else"


def test_a_disk_with_little_room_gets_a_smaller_file(tmp_path, monkeypatch):
    monkeypatch.setattr(disk_stress.shutil, "disk_usage", lambda _: Usage(1000 * MIB, 742 * MIB, 258 * MIB))
    with Target(str(tmp_path)) as target:
        target.room_for(100 * MIB)
        target.write(5 * MIB)
        assert os.fstat(target._fd).st_size == 2 * MIB


@posix
@pytest.mark.parametrize("without", [[], ["O_DIRECT"], ["O_TMPFILE"]])
def test_a_file_system_that_lacks_a_feature_does_as_well(tmp_path, monkeypatch, without):
    if "O_DIRECT" in without:
        monkeypatch.setattr(disk_stress, "_set_direct", lambda _fd, _wanted: False)
    if "O_TMPFILE" in without:
        monkeypatch.setattr(os, "O_TMPFILE", 0, raising=False)  # then it is a folder opened to write
    with Target(str(tmp_path)) as target:
        target.write(17 * MIB + 1)
        target.sync()
        assert target.written == 17 * MIB + 1
        assert list(tmp_path.iterdir()) == []
