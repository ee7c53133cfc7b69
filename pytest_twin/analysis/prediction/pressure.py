"""The CPU pressure to expect of a demand, by measurements of loads of known size on this machine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pytest_twin.analysis.prediction.response import Numbers
from pytest_twin.analysis.stats.isotonic import rising_means
from pytest_twin.model.machine_calibration import MachineCalibration


@dataclass(frozen=True, eq=False)
class PressureModel:
    """The CPU pressure as a function of the demand: never less with more of it.

    It is a straight line between the measured demands, and constant below the lowest and above the highest of them.

    Attributes:
        demands: The measured demands as a share of all CPUs, ascending.
        pressures: The pressure at each: the share of time in which some task waits for a CPU.
    """

    demands: Numbers
    pressures: Numbers

    @classmethod
    def fit(cls, calibration: MachineCalibration) -> PressureModel:
        """Return the model of measurements; those that fall are replaced by their mean."""
        rising = rising_means(calibration.pressures, [1.0] * len(calibration.pressures))
        return cls(np.array(calibration.demands), np.clip(rising, 0.0, 1.0))

    def at(self, demands: Numbers) -> Numbers:
        """Return the pressure at each demand."""
        return np.interp(demands, self.demands, self.pressures)
