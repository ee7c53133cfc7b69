"""The kept measurements of a machine."""

from __future__ import annotations

import json

import pytest

from pytest_twin.model.machine_calibration import MachineCalibration, calibration_document, parse_calibration

FOUND = MachineCalibration((0.0, 1.5), (0.01, 0.9), 250e6)
DOCUMENT = calibration_document(FOUND)


def test_measurements_are_kept_as_json():
    assert parse_calibration(json.loads(json.dumps(DOCUMENT))) == FOUND
    assert parse_calibration(calibration_document(FOUND._replace(disk_rate=None))) == FOUND._replace(disk_rate=None)


def test_levels_are_in_order():
    assert parse_calibration({**DOCUMENT, "demands": [1.5, 0.0], "pressures": [0.9, 0.01]}) == FOUND


@pytest.mark.parametrize(
    "change",
    [
        {"loads": "loads 0"}, {"demands": [1]}, {"demands": [1, "x"]}, {"demands": [1, -1]}, {"pressures": [0.1]},
        {"pressures": None}, {"disk_rate": 0}, {"disk_rate": "x"}, {"disk_rate": True},
        {"demands": [0.0, float("nan")]},
    ],
)  # fmt: skip
def test_what_is_damaged_or_of_other_loads_is_not_used(change):
    assert parse_calibration({**DOCUMENT, **change}) is None
    assert parse_calibration([DOCUMENT]) is None
