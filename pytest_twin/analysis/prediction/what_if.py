"""What if a recorded machine had more to do: for how much of the time the demand exceeds what the machine has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from pytest_twin.analysis.prediction.response import Numbers
from pytest_twin.model.demand_change import COLUMNS, CPU, DISK, DemandChange, changed_recording

if TYPE_CHECKING:
    from pytest_twin.analysis.prediction.pressure import PressureModel
    from pytest_twin.model.machine_recording import MachineRecording

NO_DISK_RATE = "what the disk takes is not known; give --disk-rate, such as 200MB/s, or run pytest-twin calibrate"


@dataclass(frozen=True)
class Overload:
    """The demand for a resource after a change, against what the machine has.

    Attributes:
        change: The change.
        problem: Why it cannot be judged; empty if it can. The other values are then 0.
        peak: The highest demand, as a share of what the machine has.
        share: The share of the time in which the demand exceeds what the machine has.
        first_s: The seconds since the start of the recording until it first does; None if it never does.
        stretches_s: The seconds of each stretch of time in which it does.
        pressure: The mean CPU pressure to expect; None for another resource, and without a model.
        pressure_of_mean: The pressure that the mean demand would cause all the time, which is not what is to be
            expected where the demand varies.
    """

    change: DemandChange
    problem: str = ""
    peak: float = 0.0
    share: float = 0.0
    first_s: float | None = None
    stretches_s: Sequence[float] = ()
    pressure: float | None = None
    pressure_of_mean: float | None = None

    @property
    def longest_s(self) -> float:
        """The longest stretch; 0 without one."""
        return max(self.stretches_s, default=0.0)

    @property
    def median_s(self) -> float:
        """The median stretch; 0 without one."""
        return median(self.stretches_s or [0.0])


def find_overloads(
    recording: MachineRecording,
    changes: Sequence[DemandChange],
    disk_rate: float | None,
    pressure: PressureModel | None = None,
) -> Iterator[Overload]:
    """Yield for each change when the demand exceeds what the recorded machine has.

    Args:
        recording: The recording.
        changes: The changes.
        disk_rate: The bytes per second that its disk takes, of reads and writes together; None if unknown.
        pressure: The CPU pressure of a demand; None if unknown.
    """
    for change in changes:
        try:
            demand = _demand(recording, change, disk_rate)
        except ValueError as error:
            yield Overload(change, str(error))
        else:
            yield _overload(recording, change, demand, pressure if change.resource == CPU else None)


def _demand(recording: MachineRecording, change: DemandChange, disk_rate: float | None) -> Numbers:
    """Return the demand as a share of what the machine has.

    Raises:
        ValueError: It is not known; the message says why.
    """
    frame = changed_recording(recording, [change]).frame
    recorded = [name for name in COLUMNS[change.resource] if name in frame]
    demand = np.asarray(frame[recorded].sum(axis=1, min_count=1), dtype=np.float64)
    if change.resource != DISK:
        return demand
    if not disk_rate:
        raise ValueError(
            "what the disk takes is not known; give --disk-rate, such as 200MB/s, or run pytest-twin calibrate"
        )
    return demand / disk_rate


def _overload(
    recording: MachineRecording, change: DemandChange, demand: Numbers, model: PressureModel | None
) -> Overload:
    ends = recording.frame.index.to_numpy(dtype=float)
    begins = np.concatenate([[0.0], ends[:-1]])
    is_known, is_over = np.isfinite(demand), demand > 1.0
    runs = ([at for at, _ in rows] for over, rows in groupby(enumerate(is_over.tolist()), lambda row: row[1]) if over)
    spans = [(float(begins[rows[0]]), float(ends[rows[-1]])) for rows in runs]
    durations = ends - begins
    known, total = durations[is_known], durations[is_known].sum()
    mean = demand[is_known] @ known / total
    return Overload(
        change,
        peak=float(np.nanmax(demand)),
        share=float(durations[is_over].sum() / total),
        first_s=spans[0][0] if spans else None,
        stretches_s=[until - since for since, until in spans],
        pressure=None if model is None else float(model.at(demand[is_known]) @ known / total),
        pressure_of_mean=None if model is None else float(model.at(np.array([mean]))[0]),
    )
