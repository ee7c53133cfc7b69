"""Measuring a machine under loads of known size."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from pytest_twin.recording import load_calibration
from pytest_twin.recording.load_calibration import CalibrationError, level_s, measure_machine
from pytest_twin.recording.recording import Recording
from pytest_twin.run_folder.folder import RunFolder
from pytest_twin.telemetry.sampler_config import SamplerConfig

has_pressure = pytest.mark.skipif(
    sys.platform != "linux" or not Path("/proc/pressure/cpu").exists(), reason="no pressure stall information"
)


@pytest.fixture
def recording(tmp_path, monkeypatch):
    """A recording, and only a few short levels."""
    monkeypatch.setattr(load_calibration, "DEMANDS", (0.0, 0.5, 2.0))
    monkeypatch.setattr(load_calibration, "SETTLE_S", 0.1)
    monkeypatch.setattr(load_calibration, "DISK_S", 0.3)
    with Recording(RunFolder(tmp_path / "run"), SamplerConfig(0.1)) as recording:
        yield recording


def waiter(after=1_000):
    """Waits as asked, and tells to stop after some waits."""
    waits = []

    def wait(seconds):
        time.sleep(seconds)
        waits.append(seconds)
        return len(waits) > after

    return wait


@has_pressure
def test_twice_as_much_as_all_cpus_is_more_pressure_than_half_of_them(recording):
    found = measure_machine(recording, waiter(), 5)
    assert found is not None
    assert list(found.demands) == sorted(found.demands)
    assert found.demands[-1] == 2.0
    assert found.pressures[-1] >= found.pressures[0] - 0.05  # others may use the CPUs all the time
    assert found.pressures[-1] > 0.5
    assert found.disk_rate is None or found.disk_rate > 0


@has_pressure
@pytest.mark.parametrize("after", [1, 2, 4])
def test_a_measurement_that_is_stopped_has_no_result(recording, after):
    assert measure_machine(recording, waiter(after), 5) is None


def test_a_load_that_fails_is_told(recording, monkeypatch):
    kind = load_calibration.kinds()["cpu"]
    monkeypatch.setattr(load_calibration, "kinds", lambda: {"cpu_total": kind})
    monkeypatch.setattr(load_calibration, "DEMANDS", (1000.0,))
    with pytest.raises(
        CalibrationError, match=r"^cpu=100000%: cannot start: \d+ workers are too many for .* CPUs; give at most \d+$"
    ):
        measure_machine(recording, waiter(), 5)


def test_the_levels_share_the_time():
    assert level_s(180) > level_s(120) > level_s(60)
    assert level_s(1) == load_calibration.SHORTEST_LEVEL_S
    levels = len(load_calibration.DEMANDS) * load_calibration.ROUNDS
    each = level_s(180) + load_calibration.SETTLE_S + load_calibration.START_S
    assert load_calibration.DISK_S + levels * each == pytest.approx(180)
