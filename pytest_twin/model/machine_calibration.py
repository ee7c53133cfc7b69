"""What a machine was measured to do under loads of known size: its CPU pressure, and the rate of its disk."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeGuard

LOADS = "loads 1"  # what was applied; figures of other loads are not comparable
MOST_LEVELS = 1000


class MachineCalibration(NamedTuple):
    """The measurements.

    Attributes:
        demands: The demand for CPU time at each level, as a share of all CPUs, ascending; it may exceed 1.
        pressures: The CPU pressure at each: the share of time in which some task waited for a CPU.
        disk_rate: The bytes per second that the disk writes; None if it could not be measured.
    """

    demands: tuple[float, ...]
    pressures: tuple[float, ...]
    disk_rate: float | None


def parse_calibration(document: object) -> MachineCalibration | None:
    """Return the measurements in a document of `calibration_document`; None if they are of other loads, or damaged."""
    if not isinstance(document, dict) or document.get("loads") != LOADS:
        return None
    demands, pressures, rate = (document.get(name) for name in MachineCalibration._fields)
    if not _are_numbers(demands) or not _are_numbers(pressures) or len(demands) != len(pressures):
        return None
    if rate is not None and (not _is_number(rate) or rate <= 0):
        return None
    levels = sorted(zip(map(float, demands), map(float, pressures), strict=True))
    return MachineCalibration(tuple(at for at, _ in levels), tuple(each for _, each in levels), rate and float(rate))


def calibration_document(calibration: MachineCalibration) -> dict[str, Any]:
    """Return the measurements as JSON."""
    return {
        "loads": LOADS,
        "demands": [round(each, 4) for each in calibration.demands],
        "pressures": [round(each, 4) for each in calibration.pressures],
        "disk_rate": calibration.disk_rate and round(calibration.disk_rate),
    }


def _are_numbers(values: object) -> TypeGuard[list[float]]:
    return isinstance(values, list) and 2 <= len(values) <= MOST_LEVELS and all(map(_is_number, values))


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e15
