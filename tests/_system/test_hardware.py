"""What hardware there is, told by the kernel's files as psutil tells it."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

import psutil
import pytest

from pytest_twin._system import hardware

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc and /sys")


@pytest.fixture
def files(monkeypatch):
    """Has these texts in the place of the kernel's files."""
    return lambda texts: monkeypatch.setattr(hardware, "read_bytes", lambda path: texts.get(path, b""))


def test_memory_and_cores_are_those_that_psutil_finds():
    assert hardware.memory() == (psutil.virtual_memory().total, psutil.swap_memory().total)
    assert hardware.cores() == psutil.cpu_count(logical=False)


def test_the_file_systems_are_those_that_psutil_finds(eventually):
    def are_the_same() -> bool:  # others may mount and unmount some meanwhile
        with suppress(FileNotFoundError):
            there = psutil.disk_partitions()
            found = [(each.device, each.fstype, psutil.disk_usage(each.mountpoint).total) for each in there]
            return list(hardware.file_systems()) == found
        return False

    eventually(are_the_same)


def test_only_file_systems_on_devices_are_told_of_and_names_are_unescaped(files, tmp_path):
    place = os.fsencode(tmp_path)
    mounts = b"/dev/my\\040disk %b ext4 rw 0 0\nproc %b proc rw 0 0\nnone %b ext4 rw 0 0\npool %b zfs rw 0 0\n"
    files(
        {
            "/proc/filesystems": b"nodev\tproc\nnodev\tzfs\n\text4\n",
            "/proc/self/mounts": mounts % ((place,) * 4),
        }
    )
    assert [each[:2] for each in hardware.file_systems()] == [("/dev/my disk", "ext4"), ("pool", "zfs")]


def test_a_file_system_whose_place_is_gone_is_left_out(files):
    files({"/proc/filesystems": b"\text4\n", "/proc/self/mounts": b"/dev/vda /no/such/place ext4 rw 0 0\n"})
    assert list(hardware.file_systems()) == []


def test_a_machine_that_does_not_tell_of_its_cores_has_none(files):
    files({})
    assert hardware.cores() is None
