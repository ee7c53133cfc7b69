"""This machine: what may be used of it, and its fingerprint."""

from __future__ import annotations

import getpass
import json
import os
import platform
import sys
from types import SimpleNamespace

import psutil
import pytest

import pytest_twin
from pytest_twin._system import hardware, stdlib
from pytest_twin.stressors.system import capacity
from pytest_twin.telemetry import fingerprint

linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc/self")


def test_shares_are_of_what_may_be_used(monkeypatch):
    monkeypatch.setattr(capacity, "usable_cpus", lambda: 1.5)
    monkeypatch.setattr(capacity, "usable_memory", lambda: 4096)
    monkeypatch.setattr(stdlib.os, "cpu_count", lambda: 4)
    assert fingerprint.usable_amounts() == {"cpu_s": 1.5, "host_cpu_s": 4.0, "peak_bytes": 4096.0}
    monkeypatch.setattr(capacity, "usable_memory", lambda: None)
    assert fingerprint.usable_amounts() == {"cpu_s": 1.5, "host_cpu_s": 4.0}


@pytest.fixture
def _private(monkeypatch):
    monkeypatch.setattr(platform, "node", lambda: "secret-host")
    monkeypatch.setattr(getpass, "getuser", lambda: "secret-user")


def test_the_fingerprint_tells_of_hardware_and_software():
    found = fingerprint.take_fingerprint()
    assert found.keys() == {"pytest_twin", "cpu", "speed", "memory", "disks", "os", "python", "packages"}
    assert found["pytest_twin"] == pytest_twin.__version__
    assert found["cpu"]["logical"] == psutil.cpu_count()
    assert found["memory"]["total_GB"] == round(psutil.virtual_memory().total / 2**30, 2)
    assert found["python"]["version"] == platform.python_version()
    assert found["packages"]["pytest"] == pytest.__version__
    assert json.loads(json.dumps(found)) == found


@pytest.mark.usefixtures("_private")
def test_the_fingerprint_names_neither_host_nor_user():
    assert "secret" not in json.dumps(fingerprint.take_fingerprint())


@pytest.mark.usefixtures("_private")
def test_the_fingerprint_names_host_and_user_if_asked_to():
    found = fingerprint.take_fingerprint(identify=True)
    assert (found["host"], found["user"]) == ("secret-host", "secret-user")


def test_a_user_without_a_name_has_none(monkeypatch):
    def nobody() -> str:
        raise KeyError("uid not found")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert fingerprint.take_fingerprint(identify=True)["user"] is None


@pytest.fixture
def partitions(monkeypatch):
    """File systems of these devices, each of 10 GiB."""

    def partitions(*devices: str) -> None:
        found = [SimpleNamespace(device=device, mountpoint=f"/home/secret-user/{at}", fstype="ext4")
                 for at, device in enumerate(devices)]  # fmt: skip
        monkeypatch.setattr(hardware, "LINUX", False)
        monkeypatch.setattr(psutil, "disk_partitions", lambda: found)
        monkeypatch.setattr(psutil, "disk_usage", lambda _: SimpleNamespace(total=10 * 2**30))

    return partitions


def test_a_disk_is_told_of_once_and_without_its_mount_points(partitions):
    partitions("/dev/vda1", "/dev/vda1", "/dev/vdb")
    assert fingerprint.take_fingerprint()["disks"] == [
        {"device": name, "type": "ext4", "size_GB": 10.0} for name in ("vda1", "vdb")
    ]  # fmt: skip


def test_a_disk_that_may_not_be_looked_at_is_left_out(partitions, monkeypatch):
    def refuse(_path: str) -> None:
        raise PermissionError

    partitions("/dev/vda1")
    monkeypatch.setattr(psutil, "disk_usage", refuse)
    assert fingerprint.take_fingerprint()["disks"] == []


@pytest.mark.usefixtures("_private")
def test_a_volume_that_is_named_after_the_host_does_not_name_it(partitions):
    partitions("/dev/mapper/secret--host--vg-root")
    assert "secret" not in json.dumps(fingerprint.take_fingerprint())


@linux
def test_a_machine_that_does_not_name_its_processor_is_no_matter(monkeypatch):
    monkeypatch.setattr(fingerprint, "read_bytes", lambda _: b"processor : 0\n")
    monkeypatch.setattr(platform, "processor", lambda: "")
    assert fingerprint.take_fingerprint()["cpu"]["model"] is None


@linux
def test_a_system_without_os_release_is_told_by_its_version(monkeypatch):
    def missing() -> dict[str, str]:
        raise OSError

    monkeypatch.setattr(platform, "freedesktop_os_release", missing)
    assert fingerprint.take_fingerprint()["os"]["name"] == platform.version()


def test_the_allowed_cpus_are_no_more_than_there_are():
    assert 0 < fingerprint.take_fingerprint()["cpu"]["allowed"] <= (os.cpu_count() or 1)
