"""The scores of this machine: measured once per boot, kept for the sessions after it."""

from __future__ import annotations

import builtins
import json
import os
import sys
from pathlib import Path

import pytest

from pytest_twin.model.machine_calibration import MachineCalibration
from pytest_twin.model.machine_speed import WORK, MachineSpeed, machine_speed
from pytest_twin.telemetry import calibration, fingerprint

SCORES = MachineSpeed(10.0, 20.0)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache folder."""
    folder = tmp_path / "cache" / "pytest-twin"
    monkeypatch.setattr(calibration, "cache_folder", lambda: folder)
    return folder


@pytest.fixture
def measured(monkeypatch):
    """How often the speed was measured."""
    times = []
    monkeypatch.setattr(calibration, "measure_speed", lambda: times.append(1) or SCORES)
    return times


def test_the_cpus_of_this_machine_have_a_score():
    speed = calibration.measure_speed()
    assert speed is not None
    assert min(speed) > 0


def test_a_speed_is_measured_once_and_kept(measured):
    assert calibration.kept_speed() is None
    assert [calibration.calibrated_speed(), calibration.calibrated_speed()] == [SCORES, SCORES]
    assert calibration.kept_speed() == SCORES
    assert len(measured) == 1


def test_a_session_reads_the_speed_and_never_measures_it(measured):
    assert machine_speed(fingerprint.take_fingerprint()) is None
    assert not measured
    assert machine_speed(fingerprint.take_fingerprint(calibrate=True)) == SCORES
    assert machine_speed(fingerprint.take_fingerprint()) == SCORES


def test_the_speed_is_measured_again_after_a_boot_and_with_other_cpus(measured, monkeypatch):
    keys = ["boot 1, 2 CPUs", "boot 2, 2 CPUs", "boot 2, 1 CPU", "boot 1, 2 CPUs"]
    for key in keys:
        monkeypatch.setattr(calibration, "_key", lambda _, key=key: key)
        calibration.calibrated_speed()
    assert len(measured) == len(set(keys))


def test_the_cache_does_not_grow_without_end(measured, cache, monkeypatch):
    for number in range(calibration.MOST_KEPT + 5):
        monkeypatch.setattr(calibration, "_key", lambda _, number=number: f"boot {number}")
        calibration.calibrated_speed()
    assert len(json.loads((cache / calibration.FILE).read_text())) == calibration.MOST_KEPT
    assert calibration.kept_speed() == SCORES


@pytest.mark.parametrize("content", ["", "{", "[]", "3", '{"KEY": 3}', '{"KEY": {"work": "x"}}', "[" * 50_000, "\xff"])
def test_a_damaged_cache_is_measured_anew(measured, cache, content):
    cache.mkdir(parents=True)
    (cache / calibration.FILE).write_bytes(content.replace("KEY", calibration._key(WORK)).encode("latin-1"))
    assert calibration.kept_speed() is None
    assert calibration.calibrated_speed() == calibration.kept_speed() == SCORES


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes")
def test_a_pipe_in_the_place_of_the_cache_is_not_waited_for(measured, cache):
    cache.mkdir(parents=True)
    os.mkfifo(cache / calibration.FILE)
    assert calibration.kept_speed() is None
    assert calibration.calibrated_speed() == SCORES


def test_a_cache_that_cannot_be_written_is_no_matter(measured, cache):
    cache.parent.mkdir()
    cache.write_text("a file")
    assert [calibration.calibrated_speed(), calibration.calibrated_speed()] == [SCORES, SCORES]
    assert len(measured) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="permissions")
def test_only_the_user_can_read_and_write_the_cache(measured, cache):
    calibration.calibrated_speed()
    assert [path.stat().st_mode & 0o077 for path in (cache, cache / calibration.FILE)] == [0, 0]


def test_a_python_without_bzip2_has_no_score(monkeypatch):
    real = builtins.__import__

    def without_bzip2(name, *words, **more):
        if name == "bz2":
            raise ImportError(name)
        return real(name, *words, **more)

    monkeypatch.setattr(builtins, "__import__", without_bzip2)
    assert calibration.calibrated_speed() is None


@pytest.mark.skipif(sys.platform != "linux", reason="the folder of Linux")
def test_the_cache_is_where_a_user_expects_caches(monkeypatch):
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert str(calibration.cache_folder()) == "/somewhere/pytest-twin"
    monkeypatch.setenv("HOME", "/home/her")
    for relative in ("", "cache"):
        monkeypatch.setenv("XDG_CACHE_HOME", relative)
        assert str(calibration.cache_folder()) == "/home/her/.cache/pytest-twin"


def test_a_user_without_a_home_has_no_cache(measured, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(calibration, "cache_folder", lambda: Path("~/.cache/pytest-twin"))
    assert [calibration.calibrated_speed(), calibration.kept_speed()] == [SCORES, None]
    assert not list(tmp_path.iterdir())


def test_where_the_system_does_not_tell_its_start_nothing_is_kept(measured, cache, monkeypatch):
    monkeypatch.setattr(calibration, "LINUX", False)

    def fail():
        raise FileNotFoundError("/proc/stat")

    monkeypatch.setattr("psutil.boot_time", fail)
    assert [calibration.calibrated_speed(), calibration.calibrated_speed()] == [SCORES, SCORES]
    assert calibration.kept_speed() is None
    assert len(measured) == 2
    assert not cache.exists()


def test_what_the_machine_does_under_loads_is_kept_beside_its_scores(measured, cache):
    found = MachineCalibration((0.0, 1.5), (0.01, 0.9), 250e6)
    assert calibration.kept_calibration() is None
    assert calibration.keep_calibration(found)
    calibration.calibrated_speed()
    assert (calibration.kept_calibration(), calibration.kept_speed()) == (found, SCORES)
    assert sorted(path.name for path in cache.iterdir()) == ["loads.json", "speed.json"]


def test_it_is_told_that_measurements_cannot_be_kept(cache):
    cache.parent.mkdir()
    cache.write_text("a file")
    assert not calibration.keep_calibration(MachineCalibration((0.0, 1.5), (0.01, 0.9), None))
