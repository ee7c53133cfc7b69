"""The CPU pressure to expect of a demand."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_twin.analysis.prediction.pressure import PressureModel
from pytest_twin.model.machine_calibration import MachineCalibration


def model(*levels):
    demands, pressures = zip(*levels, strict=True)
    return PressureModel.fit(MachineCalibration(demands, pressures, None))


def test_pressure_is_a_line_between_the_measured_demands():
    found = model((0.5, 0.1), (1.0, 0.2), (1.5, 0.9)).at(np.array([0.5, 0.75, 1.25]))
    assert found.tolist() == pytest.approx([0.1, 0.15, 0.55])


def test_pressure_is_constant_beyond_what_was_measured():
    assert model((0.5, 0.1), (1.5, 0.9)).at(np.array([0.0, 9.0])).tolist() == [0.1, 0.9]


def test_pressure_never_falls_and_is_a_share():
    found = model((0.0, 0.02), (0.5, 0.01), (1.0, 0.6), (2.0, 1.01))
    assert found.pressures.tolist() == pytest.approx([0.015, 0.015, 0.6, 1.0])
