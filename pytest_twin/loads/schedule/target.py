"""The recording that a schedule would make if every load were applied exactly: its amounts over time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pytest_twin.model.machine_recording import MachineRecording
from pytest_twin.stressors.spec.kind import BYTES, RATE, SHARE

if TYPE_CHECKING:
    from pytest_twin.loads.schedule.schedule import Schedule, ScheduledLoad
    from pytest_twin.loads.spec import LoadPart

_RESOURCES = {("cpu", SHARE): "cpu", ("mem", SHARE): "mem", ("mem", BYTES): "mem_bytes", ("net", RATE): "net_sent"}


def target_of(schedule: Schedule, interval_s: float, count: int, idle: Mapping[str, float]) -> MachineRecording:
    """Return the amounts of a schedule in `count` intervals, each as it is in the middle of the interval.

    Args:
        schedule: The schedule; of its loads those of CPU, memory, disk and network count that have a share or a rate.
        interval_s: The length of an interval in seconds.
        count: The number of intervals.
        idle: What is in use without the schedule, by resource; each of these has a column.
    """
    import numpy as np
    import pandas as pd

    middles = (np.arange(count) + 0.5) * interval_s
    columns = {name: np.full(count, amount) for name, amount in idle.items()}
    for event in schedule.events:
        within = (middles >= event.start_s) & (middles < event.end_s)
        for name, part, share in _applied(event):
            at, values = zip(*part.profile, strict=True)
            amounts = share * np.interp(middles[within] - event.start_s, at, values)
            columns.setdefault(name, np.zeros(count))[within] += amounts
    frame = pd.DataFrame(columns, pd.Index(np.arange(1, count + 1) * interval_s, name="elapsed_s"))
    return MachineRecording(frame, None, interval_s, dict.fromkeys(columns, "the schedule"))


def _applied(event: ScheduledLoad) -> Iterator[tuple[str, LoadPart, float]]:
    """Yield the resources that an event loads, each with the part of the load and the share of it that is theirs."""
    for part in event.load.parts:
        if part.kind.keyword == "disk" and part.unit == RATE:
            read = float(part.options.get("pattern", 0.0))
            yield "disk_read", part, read
            yield "disk_write", part, 1 - read
        elif name := _RESOURCES.get((part.kind.keyword, part.unit)):
            yield name, part, 1.0
