"""What if a recorded machine had more to do: for how much of the time the demand exceeds what the machine has."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pytest_twin.analysis.prediction.response import Numbers
from pytest_twin.model.error_text import shown
from pytest_twin.model.quantity import parse_amount
from pytest_twin.stressors.spec.kind import BYTES, RATE, SHARE

if TYPE_CHECKING:
    from pytest_twin.model.machine_recording import MachineRecording

CPU, MEMORY, DISK = "cpu", "mem", "disk"
UNITS = {CPU: (SHARE,), MEMORY: (BYTES, SHARE), DISK: (RATE,)}  # of an amount that is added
EXAMPLES = {CPU: "cpu*1.5 or cpu+20%", MEMORY: "mem*2 or mem+4GiB", DISK: "disk*2 or disk+50MB/s"}
LARGEST_FACTOR = 1000.0

_CHANGE = re.compile(r"(\w+)([*+])(\S+)", re.ASCII)
_FACTOR = re.compile(r"\d{1,6}(\.\d{1,9})?", re.ASCII)


class DemandChange(NamedTuple):
    """A change of the demand for a resource.

    Attributes:
        text: As it was written.
        resource: ``cpu``, ``mem`` or ``disk``.
        factor: What the demand is multiplied by.
        extra: What is added: a share, bytes, or bytes per second.
        unit: The unit of `extra`; empty where nothing is added.
    """

    text: str
    resource: str
    factor: float = 1.0
    extra: float = 0.0
    unit: str = ""


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
    """

    change: DemandChange
    problem: str = ""
    peak: float = 0.0
    share: float = 0.0
    first_s: float | None = None
    stretches_s: Sequence[float] = ()

    @property
    def longest_s(self) -> float:
        """The longest stretch; 0 without one."""
        return max(self.stretches_s, default=0.0)

    @property
    def median_s(self) -> float:
        """The median stretch; 0 without one."""
        return median(self.stretches_s or [0.0])


def parse_changes(text: str) -> list[DemandChange]:
    """Parse changes such as ``cpu*1.5 mem+4GiB disk*2``.

    Raises:
        ValueError: One cannot be read; the message is for the user.
    """
    changes = [_parse_change(word) for word in text.split()]
    if not changes:
        raise ValueError(f"gives no change such as {EXAMPLES[CPU]}")
    for resource, number in ((name, sum(each.resource == name for each in changes)) for name in UNITS):
        if number > 1:
            raise ValueError(f"changes {resource} {number} times; give one change of it")
    return changes


def _parse_change(word: str) -> DemandChange:
    match = _CHANGE.fullmatch(word)
    if match is None or match[1] not in UNITS:
        raise ValueError(f"{shown(word)} is not a change such as {', '.join(EXAMPLES.values())}")
    resource, operator, amount = match.groups()
    if operator == "*":
        if not _FACTOR.fullmatch(amount) or not 0 < float(amount) <= LARGEST_FACTOR:
            raise ValueError(f"{shown(word)}: {shown(amount)} is not a factor above 0 and up to {LARGEST_FACTOR:g}")
        return DemandChange(word, resource, factor=float(amount))
    added = parse_amount(amount, f"an amount, as in {EXAMPLES[resource]}")
    if added.unit not in UNITS[resource]:
        raise ValueError(f"{shown(word)}: {shown(amount)} has another unit; give {EXAMPLES[resource]}")
    return DemandChange(word, resource, extra=added.value, unit=added.unit)


def find_overloads(
    recording: MachineRecording, changes: Sequence[DemandChange], disk_rate: float | None
) -> Iterator[Overload]:
    """Yield for each change when the demand exceeds what the recorded machine has.

    Args:
        recording: The recording.
        changes: The changes.
        disk_rate: The bytes per second that its disk takes, of reads and writes together; None if unknown.
    """
    for change in changes:
        try:
            demand = _demand(recording, change, disk_rate)
        except ValueError as error:
            yield Overload(change, str(error))
        else:
            yield _overload(recording, change, demand)


def _demand(recording: MachineRecording, change: DemandChange, disk_rate: float | None) -> Numbers:
    """Return the demand as a share of what the machine has.

    Raises:
        ValueError: It is not known; the message says why.
    """
    frame = recording.frame
    names = ["disk_read", "disk_write"] if change.resource == DISK else [change.resource]
    recorded = [name for name in names if name in frame and frame[name].notna().any()]
    if not recorded:
        raise ValueError(f"the recording has no values of {' or '.join(names)}")
    used = np.asarray(frame[recorded].sum(axis=1, min_count=1), dtype=np.float64)
    if change.resource == DISK:
        if not disk_rate:
            raise ValueError("what the disk takes is not known; give --disk-rate, such as 200MB/s")
        return (used * change.factor + change.extra) / disk_rate
    extra = change.extra
    if change.unit == BYTES:
        extra /= _total_memory(recording)
    return used * change.factor + extra


def _total_memory(recording: MachineRecording) -> float:
    frame = recording.frame
    if "mem_bytes" in frame:
        totals = (frame["mem_bytes"] / frame["mem"]).replace([np.inf, 0.0], np.nan).dropna()
        if len(totals):
            return float(totals.median())
    raise ValueError("the recording does not tell how much memory the machine has; give a share, such as mem+10%")


def _overload(recording: MachineRecording, change: DemandChange, demand: Numbers) -> Overload:
    ends = recording.frame.index.to_numpy(dtype=float)
    begins = np.concatenate([[0.0], ends[:-1]])
    is_known, is_over = np.isfinite(demand), demand > 1.0
    runs = ([at for at, _ in rows] for over, rows in groupby(enumerate(is_over.tolist()), lambda row: row[1]) if over)
    spans = [(float(begins[rows[0]]), float(ends[rows[-1]])) for rows in runs]
    durations = ends - begins
    return Overload(
        change,
        peak=float(np.nanmax(demand)),
        share=float(durations[is_over].sum() / durations[is_known].sum()),
        first_s=spans[0][0] if spans else None,
        stretches_s=[until - since for since, until in spans],
    )
