"""What a scaled replay showed of an overload, beside what was predicted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pytest_twin.analysis.prediction.measured_overload import MeasuredOverload, measure_overload
from pytest_twin.analysis.prediction.pressure import PressureModel
from pytest_twin.analysis.prediction.what_if import find_overloads
from pytest_twin.model import event
from pytest_twin.model.demand_change import CPU, DemandChange
from pytest_twin.model.quantity import format_share
from pytest_twin.run_folder.csv_frames import ReadingError
from pytest_twin.run_folder.frames import load
from pytest_twin.telemetry.calibration import kept_calibration

if TYPE_CHECKING:
    from pytest_twin.model.machine_recording import MachineRecording


def overload_of_run(folder: Path, recording: MachineRecording) -> MeasuredOverload:
    """Return the overload that a replay showed, from the start of its first load on for as long as the recording is.

    Args:
        folder: The run folder of the replay; of another file nothing is known.
        recording: What was replayed.
    """
    unknown = MeasuredOverload(None, None)
    try:
        run = load(folder) if folder.is_dir() else None
    except ReadingError:
        return unknown
    if run is None or not {"elapsed_s", "cpu_percent"} <= set(run.samples):
        return unknown
    starts = run.events.loc[run.events["event"] == event.START, "elapsed_s"] if len(run.events) else None
    began = 0.0 if starts is None or starts.empty else float(starts.min())
    ends = run.samples["elapsed_s"].to_numpy(np.float64) - began
    busy, pressure = (
        run.samples[name].to_numpy(np.float64) / 100 if name in run.samples else None
        for name in ("cpu_percent", "pressure_cpu_percent")
    )
    if busy is None:
        return unknown
    return measure_overload(ends, busy, pressure, recording.interval_s, float(recording.frame.index[-1]))


def tried_lines(folder: Path, recording: MachineRecording, changes: Sequence[DemandChange]) -> Iterator[str]:
    """Yield a line on the CPU, if its demand was changed: what was predicted, and what the replay showed.

    Args:
        folder: The run folder of the replay.
        recording: What was replayed, without the changes.
        changes: The changes with which it was.
    """
    calibration = kept_calibration()
    model = PressureModel.fit(calibration) if calibration else None
    measured = overload_of_run(folder, recording)
    for each in find_overloads(recording, [change for change in changes if change.resource == CPU], None, model):
        if not each.problem:
            yield (
                f"{each.change.text}: demand above all CPUs for {format_share(each.share, 1)} of the time predicted, "
                f"no CPU time left for {_share(measured.share)} in the run; CPU pressure {_share(each.pressure)} "
                f"predicted, {_share(measured.pressure)} in the run"
            )


def _share(value: float | None) -> str:
    return "an unknown share" if value is None else format_share(value, 1)
