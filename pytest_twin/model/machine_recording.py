"""What a machine did over time, in one form, whichever tool recorded it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from pytest_twin.model.quantity import format_share, format_short_duration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import pandas as pd


class Resource(NamedTuple):
    """A resource of a machine, as a recording has it.

    Attributes:
        name: The name of its column.
        unit: The unit of its values: a share is from 0 to 1.
        meaning: What its values are, for people.
    """

    name: str
    unit: str
    meaning: str


RESOURCES = {
    each.name: each
    for each in (
        Resource("cpu", "share", "CPU time in use, as a share of all CPUs"),
        Resource("cpu_user", "share", "CPU time in user mode, as a share of all CPUs"),
        Resource("cpu_system", "share", "CPU time in the kernel, as a share of all CPUs"),
        Resource("mem", "share", "memory in use, as a share of the memory of the machine"),
        Resource("mem_bytes", "bytes", "memory in use"),
        Resource("disk_read", "bytes/s", "read from disks"),
        Resource("disk_write", "bytes/s", "written to disks"),
        Resource("net_sent", "bytes/s", "sent over network interfaces"),
        Resource("net_received", "bytes/s", "received over network interfaces"),
        Resource("net_loopback", "bytes/s", "sent over the loopback interface"),
    )
}


GAP_BEFORE = "no row for"  # in the remark on the longest gap
LEAST_RECORDED = 0.1  # of the time of a recording; with less, its clock has jumped, or it is two recordings


@dataclass(frozen=True, eq=False)
class MachineRecording:
    """What a machine did over time, whichever tool recorded it.

    Attributes:
        frame: One row for each interval of the recording. The index is the end of the interval in seconds since the
            start of the first one (float64, name ``elapsed_s``, strictly increasing). A column for each resource that
            was recorded, named as in `RESOURCES`, float64, NaN where there is no value. Where rows are missing, one row
            without values stands for the whole gap.
        start: The UTC time of the start of the first interval; None where the times are only relative.
        interval_s: The median length of an interval.
        sources: For each column the column of the file it was read from, and what was made of it, for people.
        remarks: How ambiguous rows were read, a line each.
    """

    frame: pd.DataFrame
    start: datetime | None
    interval_s: float
    sources: Mapping[str, str]
    remarks: Sequence[str] = ()

    @property
    def gap_problem(self) -> str:
        """Why its rows are too few for the time from the first to the last; empty where they are not."""
        duration = float(self.frame.index[-1])
        if len(self.frame) * self.interval_s >= LEAST_RECORDED * duration:
            return ""
        gap = next((remark.partition(";")[0] for remark in self.remarks if GAP_BEFORE in remark), "it has gaps")
        return (
            f"{gap}, and less than {format_share(LEAST_RECORDED)} of its {format_short_duration(duration)} has rows; "
            "keep the rows before or after the gap"
        )
