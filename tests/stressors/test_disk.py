"""The disk stressor, by hand and under the supervisor."""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path

import pytest
from driving import is_kept

from pytest_twin.stressors.kinds import _rate_pacer, disk
from pytest_twin.stressors.kinds._disk_file import DiskFull
from pytest_twin.stressors.spec.request import REPLAY, LoadRequest
from pytest_twin.stressors.system.capacity import MIB
from pytest_twin.stressors.worker.job import Job

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX: an open file may lose its name")
linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc tells of open files")
DISK = {"module": "pytest_twin.stressors.kinds.disk"}


def test_it_runs_from_a_bare_checkout_and_says_what_it_did(run, tmp_path):
    path = tmp_path / "stress_file.bin"
    status, said, errors = run("disk_stress.py", "--size_mb", 20, "--block_mb", 1, "--path", path)
    assert (status, errors) == (0, "")
    assert re.fullmatch(
        r"disk load ready: 1 process\(es\)\ndisk load ended \(done\): \d+\.\d s, \d+\.\d\d CPU s, 20 MiB written\n",
        said,
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("flag", "value", "message"),
    [
        ("--block_mb", "0", "'0' is not a number of at least 0.01"),
        ("--size_mb", "-5", "'-5' is not a number of at least 1"),
        ("--sleep", "-1", "'-1' is not a number of at least 0"),
        ("--duration", "inf", "'inf' is not a number of at least 0"),
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
    assert errors.splitlines()[-1] == f"disk_stress.py: error: --path: {path} exists; give a path that does not exist"
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
    assert said.startswith(f"disk load failed ({path.parent} is not a directory): 0.0 s, ")


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
    assert re.fullmatch(r"disk load ended \(stopped\): \d+\.\d s, \d+\.\d\d CPU s, \d+ MiB written\n", said)
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

    def written() -> float:
        supervisor.applied(**request, duration=1.5)
        achieved = supervisor.hear()["achieved"]
        return achieved["written_bytes"] / (rate * achieved["held_s"])

    assert is_kept(written, within=0.3)


def test_as_fast_as_it_goes_is_faster_than_a_rate(supervisor, tmp_path):
    def written(unit: str, amount: float) -> float:
        options = {"directory": str(tmp_path)}
        supervisor.applied(**DISK, unit=unit, profile=[[0, amount]], duration=0.5, options=options)
        achieved = supervisor.hear()["achieved"]
        return achieved["written_bytes"] / achieved["held_s"]

    # the disk may stall
    assert any(written("max", 1) > 2 * written("bytes/s", MIB) for _ in range(5))


def job(unit: str, value: float, **options) -> Job:
    """A job with these modifiers, on a clock that a test may wind."""
    return Job(LoadRequest(unit=unit, profile=[(0, value)], options=options))


class Wound(Job):
    """A job whose clock goes on by what each block takes, and which is stopped at a time."""

    def __init__(self, rate: float, *, until: float) -> None:
        super().__init__(LoadRequest(unit="bytes/s", profile=[(0, rate)]))
        self.at, self._until = 0.0, until

    def now(self) -> float:
        if getattr(self, "at", 0.0) >= getattr(self, "_until", 1.0):
            raise KeyboardInterrupt
        return getattr(self, "at", 0.0)


class Counted:
    """A file whose blocks take as long as a test says."""

    shortage = ""

    def __init__(self, clock: Wound, takes) -> None:
        self.written = self.read = 0
        self._clock, self._takes = clock, takes

    def keep_reserve(self) -> None: ...

    def write(self, size: int) -> None:
        self.written += size
        self._clock.at += self._takes(self._clock.at)


def paced(monkeypatch, rate: float, until: float, takes) -> float:
    """Bytes written at a rate on a file whose blocks of 1,000 bytes take that long."""
    clock = Wound(rate, until=until)
    monkeypatch.setattr(_rate_pacer.time, "sleep", lambda seconds: setattr(clock, "at", clock.at + seconds))
    monkeypatch.setattr(clock, "ready", lambda: setattr(clock, "began", clock.at))
    traffic = disk.Traffic(clock, Counted(clock, takes))
    with pytest.raises(KeyboardInterrupt):
        _rate_pacer.keep_rate(clock, "moved_bytes", 1000, lambda: traffic.move(1000))
    assert clock.achieved["written_bytes"] == pytest.approx(clock.achieved["moved_bytes"], abs=1000)
    return clock.achieved["moved_bytes"]


def test_a_rate_is_exact_where_the_disk_keeps_up(monkeypatch):
    assert paced(monkeypatch, 100_000.0, 10.0, lambda _: 0.004) == pytest.approx(1_000_000, abs=1500)


def test_a_short_stall_is_made_up_for(monkeypatch):
    written = paced(monkeypatch, 100_000.0, 10.0, lambda at: 0.4 if 5 < at < 5.05 else 0.001)
    assert written == pytest.approx(1_000_000, abs=1500)


def test_of_a_long_stall_no_more_is_made_up_for_than_half_a_second(monkeypatch):
    written = paced(monkeypatch, 100_000.0, 10.0, lambda at: 3 if 5 < at < 6 else 0.001)
    assert written == pytest.approx(750_000, abs=5000)


def test_a_disk_that_is_too_slow_falls_behind_what_was_asked(monkeypatch):
    assert paced(monkeypatch, 100_000.0, 10.0, lambda _: 0.02) == pytest.approx(500_000, abs=5000)


@pytest.mark.parametrize(
    ("rate", "kib"), [(1, 16), (6_553_600, 16), (6_553_601, 32), (50e6, 128), (500e6, 2048), (5e9, 4096)]
)
def test_a_block_of_a_rate_is_small_enough_to_be_smooth(rate, kib):
    assert disk._usual_block(job("bytes/s", rate)) == kib * 1024


@pytest.mark.parametrize(
    ("unit", "value", "access", "mib"),
    [
        ("max", 0, "sequential", 256),
        ("bytes/s", 1e6, "sequential", 32),
        ("bytes/s", 100 * MIB, "sequential", 100),
        ("bytes/s", 5e9, "sequential", 256),
        ("bytes/s", 1e6, "random", 256),
    ],
)
def test_a_file_is_gone_round_in_that_suits_the_load(unit, value, access, mib):
    assert disk._usual_size(job(unit, value, access=access)) == mib * MIB


@pytest.mark.parametrize(("pattern", "read"), [(0.0, 0), (0.5, 10), (0.7, 14), (1.0, 20)])
def test_reads_and_writes_are_mixed_as_asked(tmp_path, pattern, read):
    load = job("bytes", 20 * 4096, pattern=pattern, block=4096, directory=str(tmp_path))
    disk.stress(load)
    assert load.achieved.get("read_bytes", 0) == read * 4096
    assert load.achieved.get("written_bytes", 0) == (20 - read) * 4096
    assert load.achieved["moved_bytes"] == 20 * 4096


def test_only_a_rate_wants_no_more_than_a_rate():
    assert disk.demand(job("bytes/s", 5e6)) == 5e6
    assert disk.demand(job("bytes", 5e6)) == disk.demand(job("max", 0)) == float("inf")


class Filling:
    """A file on a disk that others fill, after so many blocks."""

    shortage = ""

    def __init__(self, *_: object) -> None:
        self.written = self.read = 0

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None: ...

    def keep_reserve(self) -> None:
        if self.written >= 2 * MIB:
            raise DiskFull("d has 256 MiB free, which are reserved for other processes")

    def write(self, size: int) -> None:
        self.written += size


def test_a_load_ends_with_a_word_when_others_fill_the_disk(monkeypatch):
    monkeypatch.setattr(disk, "_opened", Filling)
    load = job("max", 0, block=MIB)
    disk.stress(load)
    assert load.achieved["reduced"] == "ended after 2 MiB: d has 256 MiB free, which are reserved for other processes"


def test_a_strict_load_fails_when_others_fill_the_disk(monkeypatch):
    monkeypatch.setattr(disk, "_opened", Filling)
    with pytest.raises(DiskFull, match="256 MiB free"):
        disk.stress(job("max", 0, block=MIB, strict=True))


def test_a_strict_amount_needs_room_for_all_of_it(tmp_path, monkeypatch):
    monkeypatch.setattr(disk.DiskFile, "shortage", "d has space for 2 of 9 MiB; these are overwritten repeatedly")
    with pytest.raises(OSError, match="space for 2 of 9 MiB"):
        disk.stress(job("bytes", 9 * MIB, directory=str(tmp_path), strict=True))


def test_a_read_is_held_at_its_rate_under_the_supervisor(supervisor, tmp_path):
    options = {"directory": str(tmp_path), "pattern": 1.0, "access": "random"}

    def read() -> float:
        supervisor.applied(**DISK, unit="bytes/s", profile=[[0, 8 * MIB]], options=options, duration=1)
        achieved = supervisor.hear()["achieved"]
        assert "written_bytes" not in achieved
        return achieved["read_bytes"] / achieved["asked_moved_bytes"]

    assert is_kept(read, within=0.3)


def test_a_replay_writes_little_before_it_reads():
    def size_of(**options):
        return disk._usual_size(Job(LoadRequest(unit="bytes/s", profile=[(0, 80e6)], options=options)))

    assert size_of(pattern=1.0) == 80e6
    assert size_of(pattern=1.0, **{REPLAY: True}) == MIB
    assert size_of(**{REPLAY: True}) == 80e6
