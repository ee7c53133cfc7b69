"""The file of a disk load: what it does to the disk, and what it leaves to others."""

from __future__ import annotations

import errno
import os
import random
import subprocess
import sys
from collections import namedtuple
from itertools import pairwise

import pytest
from driving import BARE, ROOT, SCRIPTS

from pytest_twin.stressors.kinds import _disk_file
from pytest_twin.stressors.kinds._disk_file import LARGEST_CALL, PAGE, DiskFile, DiskFull
from pytest_twin.stressors.system.capacity import MIB

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX: an open file may lose its name")
linux = pytest.mark.skipif(sys.platform != "linux", reason="positions and claims as Linux has them")
Usage = namedtuple("Usage", "total used free")  # noqa: PYI024 - as shutil has it


@pytest.fixture
def free(monkeypatch):
    """Says how many MiB a disk of 1000 MiB has free; it reserves 256."""

    def say(count: int) -> None:
        usage = Usage(1000 * MIB, (1000 - count) * MIB, count * MIB)
        monkeypatch.setattr(_disk_file.shutil, "disk_usage", lambda _: usage)

    return say


@pytest.fixture
def places(monkeypatch):
    """Where it writes, as (place, bytes)."""
    seen = []

    def write_at(fd, data, at):
        seen.append((at, len(data)))
        return os.pwrite(fd, data, at)

    monkeypatch.setattr(_disk_file, "write_at", write_at)
    return seen


def test_it_goes_round_in_the_room_it_has(tmp_path):
    with DiskFile(str(tmp_path), 2 * LARGEST_CALL) as file:
        file.write(5 * LARGEST_CALL + PAGE)
        assert file.written == 5 * LARGEST_CALL + PAGE
        assert os.fstat(file._fd).st_size == 2 * LARGEST_CALL
        assert not file.shortage


@linux
def test_no_call_is_longer_than_can_be_stopped(tmp_path, places):
    with DiskFile(str(tmp_path), 10 * MIB) as file:
        file.write(10 * MIB)
    assert places == [(0, 4 * MIB), (4 * MIB, 4 * MIB), (8 * MIB, 2 * MIB)]


@linux
def test_an_amount_that_is_no_whole_page_goes_round_past_the_cache(tmp_path):
    with DiskFile(str(tmp_path), PAGE + 1) as file:
        direct = file._direct
        file.write(6 * PAGE)
        assert (file.size, file._direct) == (2 * PAGE, direct)


@linux
def test_random_places_are_whole_blocks_all_over_the_file(tmp_path, places):
    with DiskFile(str(tmp_path), MIB, scatter=random.Random(1)) as file:
        file.fill()
        places.clear()
        for _ in range(100):
            file.write(2 * PAGE)
    assert all(at % (2 * PAGE) == 0 and at + size <= MIB for at, size in places)
    assert len(set(places)) > 40
    assert sum(two[0] != one[0] + one[1] for one, two in pairwise(places)) > 80


def test_a_full_disk_is_left_alone(tmp_path, free):
    free(256)
    with DiskFile(str(tmp_path), MIB) as file, pytest.raises(DiskFull) as caught:
        file.write(MIB)
    assert str(caught.value) == f"{tmp_path} has 256 MiB free, which are reserved for other processes"


def test_a_disk_with_little_room_gets_a_smaller_file(tmp_path, free):
    free(258)
    with DiskFile(str(tmp_path), 100 * MIB) as file:
        file.write(5 * MIB)
        assert os.fstat(file._fd).st_size == 2 * MIB
        assert file.shortage == f"{tmp_path} has space for 2 of 100 MiB; these are overwritten repeatedly"


def test_what_others_need_by_now_is_given_back(tmp_path, free):
    free(900)
    with DiskFile(str(tmp_path), 8 * MIB) as file:
        file.write(8 * MIB)
        free(253)
        file.keep_reserve()
        assert os.fstat(file._fd).st_size == 5 * MIB
        file.write(MIB)
        assert os.fstat(file._fd).st_size == 5 * MIB


def test_nothing_is_kept_when_others_need_all_of_it(tmp_path, free):
    free(900)
    with DiskFile(str(tmp_path), 8 * MIB) as file:
        file.write(8 * MIB)
        free(200)
        with pytest.raises(DiskFull, match="200 MiB free"):
            file.keep_reserve()
        assert os.fstat(file._fd).st_size == 0


@linux
def test_a_disk_that_is_full_in_the_middle_makes_the_file_smaller(tmp_path, monkeypatch):
    def write_at(fd, data, at):
        if at >= 8 * MIB:
            raise OSError(errno.ENOSPC, "No space left on device")
        return os.pwrite(fd, data, at)

    monkeypatch.setattr(_disk_file, "write_at", write_at)
    with DiskFile(str(tmp_path), 100 * MIB) as file:
        file.write(16 * MIB)
        assert (file.written, file.size) == (12 * MIB, 8 * MIB)


@linux
def test_a_file_system_that_refuses_direct_writes_is_written_through_the_cache(tmp_path, monkeypatch):
    def write_at(fd, data, at):
        if file._direct:
            raise OSError(errno.EINVAL, "Invalid argument")
        return os.pwrite(fd, data, at)

    monkeypatch.setattr(_disk_file, "write_at", write_at)
    with DiskFile(str(tmp_path), 8 * MIB) as file:
        file.write(8 * MIB)
        assert file.written == 8 * MIB


def test_what_is_read_is_what_was_filled_in(tmp_path):
    with DiskFile(str(tmp_path), 5 * MIB) as file:
        file.fill()
        file.fetch(12 * MIB)
        assert (file.written, file.read) == (0, 12 * MIB)


@linux
@pytest.mark.parametrize(("every", "times"), [(None, 0), (2 * MIB, 5)])
def test_it_waits_for_the_disk_as_often_as_asked(tmp_path, monkeypatch, every, times):
    synced = []
    monkeypatch.setattr(os, "fsync", synced.append)
    monkeypatch.setattr(_disk_file, "set_direct", lambda _fd, wanted: wanted)
    with DiskFile(str(tmp_path), 10 * MIB, sync_every=every) as file:
        for _ in range(10):
            file.write(MIB)
    assert len(synced) == times


@linux
def test_without_direct_writes_nothing_stays_in_the_page_cache(tmp_path, monkeypatch):
    forgotten = []
    monkeypatch.setattr(_disk_file, "set_direct", lambda _fd, _wanted: False)
    monkeypatch.setattr(_disk_file, "drop_cache", lambda _fd, at, size: forgotten.append((at, size)))
    with DiskFile(str(tmp_path), 8 * MIB, sync_every=4 * MIB) as file:
        file.write(8 * MIB)
        assert forgotten == [(0, 0), (0, 0)]
        file.fetch(MIB)
        assert forgotten[2:] == [(0, MIB)]


@posix
@pytest.mark.parametrize("without", [[], ["O_DIRECT"], ["O_TMPFILE"]])
def test_a_file_system_that_lacks_a_feature_does_as_well(tmp_path, monkeypatch, without):
    if "O_DIRECT" in without:
        monkeypatch.setattr(_disk_file, "set_direct", lambda _fd, _wanted: False)
    if "O_TMPFILE" in without:
        monkeypatch.setattr(os, "O_TMPFILE", 0, raising=False)  # then it is a folder opened to write
    with DiskFile(str(tmp_path), 32 * MIB) as file:
        file.write(17 * MIB + 1)
        file.sync()
        assert file.written == 17 * MIB + 1
        assert list(tmp_path.iterdir()) == []


@pytest.fixture
def on_small_disk(tmp_path):
    """Runs a Python on a file system of 280 MiB in memory, mounted where nobody else sees it."""
    alone = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    mount = f"mount -t tmpfs -o size=48m small {tmp_path} && cd {tmp_path} && "

    def run(*command: object) -> str:
        shell = [*alone, mount + 'exec "$@"', "sh", *BARE, *command]
        return subprocess.run(list(map(str, shell)), capture_output=True, text=True, timeout=60, check=True).stdout

    try:
        subprocess.run([*alone, mount + "true"], check=True, capture_output=True, timeout=60)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no user namespaces here")
    return run


@pytest.mark.fault("disk full")
@linux
def test_a_small_disk_gets_a_load_that_leaves_it_its_reserve(on_small_disk):
    said = on_small_disk(SCRIPTS / "disk_stress.py", "--size_mb", 60, "--block_mb", 1)
    assert said.endswith("60 MiB written, . has space for 24 of 60 MiB; these are overwritten repeatedly\n")


FILLED = """
import sys
sys.path.insert(0, sys.argv[1])
from pytest_twin.stressors.kinds._disk_file import MIB, DiskFile
with DiskFile(".", 20 * MIB) as file, open("other", "wb") as other:
    file.write(20 * MIB)
    for _ in range(2):
        other.write(bytes(10 * MIB))
        other.flush()
        file._next_check_at = 0
        try:
            file.keep_reserve()
        except OSError as error:
            print(error)
        print(file.size // MIB)
"""


@pytest.mark.fault("disk full")
@linux
def test_it_makes_way_on_a_small_disk_for_what_others_write(on_small_disk):
    before, *after = on_small_disk("-c", FILLED, ROOT).splitlines()
    assert 10 <= int(before) <= 14
    assert 0 <= int(after[-1]) <= 4
