"""What a fit is to be like over time, without the words of a schedule."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pytest_twin.model.machine_recording import MachineRecording


def target_of_rows(count):
    """Returns a function that gives a fit as a recording with so many rows of a second."""

    def target(fit):
        middles = np.arange(count) + 0.5
        columns = {name: np.full(count, idle) for name, idle in fit.idle.items()}
        for phase in fit.phases:
            within = (middles >= phase.start_s) & (middles < phase.start_s + phase.duration_s)
            share = (middles[within] - phase.start_s) / phase.duration_s
            for name, (first, last) in phase.levels.items():
                columns[name][within] += first + (last - first) * share
        frame = pd.DataFrame(columns, pd.Index(np.arange(1.0, count + 1), name="elapsed_s"))
        return MachineRecording(frame, None, 1.0, {})

    return target
