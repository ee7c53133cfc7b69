"""``pytest-twin calibrate``, as typed."""

from __future__ import annotations

import os

import pytest

from pytest_twin.cli import calibrate as command
from pytest_twin.model.machine_calibration import MachineCalibration
from pytest_twin.telemetry import calibration

FOUND = MachineCalibration((0.02, 1.0, 1.5), (0.01, 0.2, 0.9), 250e6)


@pytest.fixture(autouse=True)
def machine(monkeypatch, tmp_path):
    """A machine with an empty cache, on which the measurement finds what it is set to."""
    monkeypatch.setattr(calibration, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(command, "PROC", str(tmp_path))
    (tmp_path / "pressure").mkdir()
    (tmp_path / "pressure" / "cpu").write_text("")

    def find(found):
        monkeypatch.setattr(command, "measure_machine", lambda *_: found)

    find(FOUND)
    return find


def test_the_figures_are_shown_and_kept(twin, tmp_path):
    assert twin("calibrate", "--seconds", "30").splitlines() == [
        "applies loads for about 30 s",
        "demand for CPU time   CPU pressure",
        "             2.0 %          1.0 %",
        "           100.0 %         20.0 %",
        "           150.0 %         90.0 %",
        "disk: 250 MB/s",
    ]
    assert calibration.kept_calibration() == FOUND
    assert sorted(os.listdir(tmp_path)) == ["cache", "pressure"]


def test_what_others_use_meanwhile_is_told(twin, machine):
    machine(FOUND._replace(demands=(0.3, 1.0, 1.5), disk_rate=None))
    assert twin("calibrate").splitlines()[-2:] == [
        "disk: could not be measured",
        "note: others used 30 % of the CPUs; calibrate while nothing else runs",
    ]
    machine(FOUND._replace(demands=(0.6, 1.0, 1.5)))
    said = "Error: others used 60 % of the CPUs; calibrate while nothing else runs"
    assert twin("calibrate", status=2).splitlines()[-1] == said
    assert calibration.kept_calibration().demands[0] == 0.3


def test_a_measurement_that_was_stopped_is_not_kept(twin, machine):
    machine(None)
    assert twin("calibrate", status=130) == "applies loads for about 120 s\n"
    assert calibration.kept_calibration() is None


def test_a_machine_without_pressure_is_told_before_any_load(twin, tmp_path):
    (tmp_path / "pressure" / "cpu").unlink()
    said = f"Error: this machine has no {tmp_path}/pressure/cpu; there is no pressure to measure\n"
    assert twin("calibrate", status=2) == said


def test_a_load_that_fails_is_an_error_of_one_line(twin, monkeypatch):
    def fail(*_):
        raise command.CalibrationError("cpu_total=300%: died")

    monkeypatch.setattr(command, "measure_machine", fail)
    assert twin("calibrate", status=2).splitlines()[-1] == "Error: cpu_total=300%: died"


def test_figures_that_cannot_be_kept_are_an_error(twin, tmp_path):
    (tmp_path / "cache").write_text("")
    said = f"Error: cannot be kept in {tmp_path / 'cache'}; make it writable"
    assert twin("calibrate", status=2).splitlines()[-1] == said


@pytest.mark.parametrize("seconds", ["5", "200", "nan"])
def test_it_takes_three_minutes_at_most(twin, seconds):
    assert "Invalid value for '--seconds'" in twin("calibrate", "--seconds", seconds, status=2)
