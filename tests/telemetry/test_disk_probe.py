"""Disk space and traffic."""

from __future__ import annotations

import shutil
import sys

import psutil
import pytest

from pytest_twin._system.procfs import GIB, MIB
from pytest_twin.telemetry.probes import disk

linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc")
MIB_SECTORS = 2048
OTHERS = dict.fromkeys(("dm-0", "loop0", "ram0", "zram0", "sr0"), (1, 1))


@pytest.fixture
def moved(write):
    """Writes what was read from devices and written to them, in MiB."""

    def moved(**mib: tuple[int, int]) -> None:
        for name, (read, written) in mib.items():
            text = f"    10   0 {read * MIB_SECTORS}   5  20  0 {written * MIB_SECTORS}   9   0   8   9   0\n"
            write(f"{name.replace('__', '!')}/stat", text)

    return moved


@pytest.fixture
def probe(moved, tmp_path, kernel):
    """A host with two disks, a volume that lies on one of them, and a few things that are no disks."""
    for name in ("sda", "nvme0n1", "dm-0", "loop0", "ram0", "zram0", "sr0"):
        (tmp_path / name / "slaves").mkdir(parents=True)
    (tmp_path / "dm-0/slaves/sda2").touch()
    moved(sda=(100, 200), nvme0n1=(5, 5), **OTHERS)
    return disk.LinuxDisk(kernel, kernel)


@linux
def test_the_first_row_has_no_traffic(probe):
    assert probe.read(0.0)[2:] == (None, None)


@linux
def test_traffic_is_that_of_whole_disks_since_the_last_row(probe, moved):
    probe.read(0.0)
    moved(sda=(103, 210), nvme0n1=(6, 5), **dict.fromkeys(OTHERS, (9, 9)))
    assert probe.read(1.0)[2:] == (4.0, 10.0)


@linux
def test_a_counter_that_stepped_back_is_empty_once(probe, moved):
    probe.read(0.0)
    moved(sda=(1, 300))
    assert probe.read(1.0)[2:] == (None, 100.0)
    moved(sda=(3, 300))
    assert probe.read(2.0)[2:] == (2.0, 0.0)


@linux
@pytest.mark.parametrize("text", ["", "   8       0\n"])
def test_where_no_disk_is_told_of_there_is_no_traffic_not_even_zero(probe, write, text):
    write("sda/stat", text)
    write("nvme0n1/stat", text)
    assert [probe.read(at)[2:] for at in (0.0, 1.0)] == [(None, None)] * 2


@linux
def test_without_its_files_nothing_is_made_up(kernel):
    assert disk.LinuxDisk(f"{kernel}/block", f"{kernel}/nowhere").read(0.0) == (None, None, None, None)


@linux
def test_a_disk_with_a_slash_in_its_name_counts(moved, kernel):
    moved(cciss__c0d0=(1, 1))
    probe = disk.LinuxDisk(kernel, kernel)
    probe.read(0.0)
    moved(cciss__c0d0=(2, 4))
    assert probe.read(1.0)[2:] == (1.0, 3.0)


READERS = [pytest.param(disk.LinuxDisk, marks=linux), disk.PortableDisk]


@pytest.mark.parametrize("reader", READERS)
def test_space_agrees_with_the_systems_own(reader, eventually):
    probe = reader()
    assert probe.read(0.0)[0] == pytest.approx(shutil.disk_usage("/").total / GIB)
    eventually(lambda: probe.read(0.0)[1] == pytest.approx(psutil.disk_usage("/").percent, abs=1))  # others write too


@pytest.mark.parametrize("reader", READERS)
def test_what_was_written_is_no_less_than_what_psutil_says_in_between(reader, tmp_path):
    counters = psutil.disk_io_counters
    if counters() is None:
        pytest.skip("this system tells of no disk")
    probe = reader()
    probe.read(0.0)
    before = counters(nowrap=False)
    with (tmp_path / "file").open("wb") as file:
        file.write(bytes(8 * MIB))
        file.flush()
        disk.os.fsync(file.fileno())
    between = (counters(nowrap=False).write_bytes - before.write_bytes) / MIB
    written = probe.read(1.0)[3]
    assert written is None or written >= between * 0.9
