"""Predict the slowdown of each test of a profile beside a recording."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pytest_twin.analysis.prediction.prediction import ExposedTest, LoadCourse, PredictedSlowdown, predict_slowdown
from pytest_twin.analysis.prediction.profiled_test import CPU, DISK, ProfiledTest

if TYPE_CHECKING:
    import pandas as pd

    from pytest_twin.model.machine_recording import MachineRecording

RECORDED = {CPU: ("cpu",), DISK: ("disk_read", "disk_write")}  # the columns of a recording that add up to a load
LEAST_KNOWN = 0.5  # of the time; a resource that is known for less of it is not used


class UnpredictableError(ValueError):
    """Nothing can be predicted; the message, one line, is for the user."""


class PredictedTest(NamedTuple):
    """What is predicted for a test.

    Attributes:
        test: The test.
        resources: The resources that were used: those that its profile and the recording have.
        slowdown: Its predicted slowdown; None if it was not measured without load, or under no load of the recording.
    """

    test: ProfiledTest
    resources: Sequence[str]
    slowdown: PredictedSlowdown | None

    @property
    def is_range(self) -> bool:
        """Whether it is a range, since its resources were not measured together."""
        return len(self.resources) > 1 and self.test.joint is None


@dataclass(frozen=True)
class Prediction:
    """The prediction for each test of a profile beside a recording.

    Attributes:
        names: The names of the profile and of the recording, for people.
        tests: What is predicted for each test.
        duration_s: The seconds of the recording that were used.
        interval_s: Its interval.
        resources: The resources of the recording that were used.
        left_out: The share of the recording without values, which was left out.
        remarks: How ambiguous rows of the recording were read, a line each.
        runs: The number of runs of each test whose quantiles have the intervals; None for those of all start times.
    """

    names: tuple[str, str]
    tests: Sequence[PredictedTest]
    duration_s: float
    interval_s: float
    resources: Sequence[str]
    left_out: float
    remarks: Sequence[str]
    runs: int | None = None


def predict_tests(
    names: tuple[str, str], tests: Sequence[ProfiledTest], recording: MachineRecording, runs: int | None = None
) -> Prediction:
    """Predict the slowdown of each test.

    Args:
        names: The names of the profile and of the recording, for people.
        tests: The tests of the profile.
        recording: The recording of the machine beside whose load they are to run.
        runs: The intervals are those of the quantiles of this number of runs; None for those of all start times.

    Raises:
        UnpredictableError: The profile has no measurement, or the recording has no load that the profile has, or is
            mostly a gap.
    """
    if problem := recording.gap_problem:
        raise UnpredictableError(f"{names[1]}: {problem}")
    profiled = {name for test in tests for name in test.responses}
    if not profiled:
        raise UnpredictableError(f"{names[0]} has no slowdown by a load; profile for longer: --twin-profile-time")
    course, left_out = load_course(recording, [name for name in RECORDED if name in profiled])
    if not course.loads:
        loads = " or ".join(name for name in RECORDED if name in profiled) or "a load"
        raise UnpredictableError(f"{names[1]} has no values of {loads}, which {names[0]} was profiled with")
    predicted = [_predicted(test, course, runs) for test in tests]
    return Prediction(
        names, predicted, float(course.durations.sum()), recording.interval_s, list(course.loads), left_out,
        recording.remarks, runs,
    )  # fmt: skip


def _predicted(test: ProfiledTest, course: LoadCourse, runs: int | None) -> PredictedTest:
    responses = {name: test.responses[name] for name in course.loads if name in test.responses}
    if test.idle_s is None or not responses:
        return PredictedTest(test, list(responses), None)
    exposed = ExposedTest(test.idle_s, responses, course, test.joint)
    return PredictedTest(test, list(responses), predict_slowdown(exposed, runs))


def load_course(recording: MachineRecording, resources: Sequence[str]) -> tuple[LoadCourse, float]:
    """Return the load over time by these resources as far as they are recorded, and the share of time left out.

    Intervals without a value of one of them are left out.
    """
    frame = recording.frame
    durations = np.diff(frame.index.to_numpy(dtype=float), prepend=0.0)
    loads: Mapping[str, pd.Series[float]] = {
        name: frame[columns].sum(axis=1, min_count=1)
        for name in resources
        if (columns := [each for each in RECORDED[name] if each in frame])
    }
    total = durations.sum()
    used = {name: np.asarray(each, dtype=np.float64) for name, each in loads.items()
            if durations[each.notna().to_numpy()].sum() >= LEAST_KNOWN * total}  # fmt: skip
    is_known = np.logical_and.reduce([np.isfinite(each) for each in used.values()] or [np.zeros(len(frame), bool)])
    course = LoadCourse(durations[is_known], {name: each[is_known] for name, each in used.items()})
    return course, float(1 - durations[is_known].sum() / total)
