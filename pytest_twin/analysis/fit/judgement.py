"""Judge a fit by the rows that it has not seen, and by all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from pytest_twin.analysis.fidelity.gates import PASSED, FidelityGates
from pytest_twin.analysis.fidelity.scorecard import Scorecard, compare_recordings
from pytest_twin.analysis.fit.held_out import split_recording
from pytest_twin.analysis.fit.phases import Fit, FitError, FitOptions, fit_phases
from pytest_twin.model.machine_recording import MachineRecording

COARSER_S = (10.0, 60.0, 600.0, 3600.0)
FEWEST_INTERVALS = 1000  # of which half are held out; with fewer p99 cannot be judged

Target = Callable[[Fit], MachineRecording]


class FitJudgement(NamedTuple):
    """How far a fit is from its recording.

    Attributes:
        held_out: A fit to one half of the rows, against the other half.
        whole: The fit to all rows, against all rows.
        passing_s: The shortest intervals in which no gate fails on the held-out half; None if one fails in all.
    """

    held_out: Scorecard
    whole: Scorecard
    passing_s: float | None


def judge_fit(
    name: str, recording: MachineRecording, fit: Fit, options: FitOptions, gates: FidelityGates, target: Target
) -> FitJudgement:
    """Judge a fit, and for what it has not seen the same fit to half of the rows.

    The changes are judged over the length of the mean event: a schedule does not tell shorter ones.

    Args:
        name: The name of the recording.
        recording: The recording.
        fit: A fit to all of its rows.
        options: What it was fitted with.
        gates: The limits.
        target: Returns what a fit is to be like in a recording, in the intervals of this one.

    Raises:
        FitError: The fit has no load, or half of the recording cannot be fitted.
    """
    if not fit.events:
        raise FitError(f"has nothing to fit: no load in {', '.join(fit.resources)}")
    halves = split_recording(recording, options.events)
    half = fit_phases(halves.seen, options)
    half_target = target(half)
    names = f"the held-out half of {name}", "a fit to the other half"
    held_out = _compare(names, halves.held_out, half, half_target, gates)
    whole = _compare((name, "the schedule"), recording, fit, target(fit), gates)
    passing = recording.interval_s if held_out.verdict == PASSED else None
    for interval in _coarser_intervals(recording) if passing is None else ():
        pair = averaged(halves.held_out, interval), averaged(half_target, interval)
        if _compare(names, pair[0], half, pair[1], gates).verdict == PASSED:
            passing = interval
            break
    return FitJudgement(held_out, whole, passing)


def _compare(
    names: tuple[str, str], recorded: MachineRecording, fit: Fit, target: MachineRecording, gates: FidelityGates
) -> Scorecard:
    event = max(recorded.interval_s, fit.duration_s / len(fit.phases))
    return compare_recordings(names, recorded, target, gates, only=[*fit.resources], event_s=event)


def _coarser_intervals(recording: MachineRecording) -> Iterator[float]:
    duration = float(recording.frame.index[-1])
    yield from (each for each in COARSER_S if each >= 2 * recording.interval_s and duration / each >= FEWEST_INTERVALS)


def averaged(recording: MachineRecording, interval_s: float) -> MachineRecording:
    """Return the means of the known values in each interval of this length."""
    middles = recording.frame.index.to_numpy(np.float64) - recording.interval_s / 2
    frame = recording.frame.groupby(np.floor(middles / interval_s).astype(np.int64)).mean()
    index = pd.Index((frame.index.to_numpy() + 1) * interval_s, name="elapsed_s", dtype=np.float64)
    return replace(recording, frame=frame.set_axis(index, axis="index"), interval_s=interval_s)
