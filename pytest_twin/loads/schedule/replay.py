"""Turn a recording into a load: the values of its intervals become profiles over time.

The CPU is replayed as it was, memory as its rise above the lowest level, disks and networks as rates; what went over a
network goes over the loopback interface.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_twin.loads.schedule.schedule import Schedule, ScheduledLoad
from pytest_twin.loads.schedule.window import cut_recording, parse_window
from pytest_twin.loads.spec import Kinds, Load, LoadPart
from pytest_twin.model.demand_change import DemandChange, changed_recording
from pytest_twin.model.machine_formats.parser import RecordingError
from pytest_twin.model.quantity import LONGEST_S
from pytest_twin.stressors.kinds.cpu_total import STAT
from pytest_twin.stressors.spec.kind import RATE, SHARE
from pytest_twin.stressors.spec.request import LOWEST, REPLAY, WHOLE
from pytest_twin.stressors.system.capacity import memory_limit, usable_cpus, usable_memory

if TYPE_CHECKING:
    import pandas as pd

    from pytest_twin.model.machine_recording import MachineRecording
    from pytest_twin.stressors.spec.profile import Points

MOST_STEPS = 50_000  # of one profile, which is sent to processes; more are averaged
MOST_DEMAND = {"cpu": 8.0, "mem": 1.0}  # shares; for each 100 % of the CPU there is a worker on each CPU
LOOPBACK = "traffic over a network is replayed over the loopback interface"


class Replay(NamedTuple):
    """A recording as a load.

    Attributes:
        load: The load over time.
        duration_s: The duration of the recording in seconds.
        remarks: How ambiguous rows were read, and what is replayed in another way.
    """

    load: Load
    duration_s: float
    remarks: Sequence[str] = ()


class _Rule(NamedTuple):
    """How a resource is replayed: the keyword of the kind, the unit and the options of the load, and its profile."""

    keyword: str
    unit: str
    profile: Callable[[Values], Points]
    options: Mapping[str, Any] = {}


def replay_of(recording: MachineRecording, name: str, kinds: Kinds, changes: Sequence[DemandChange] = ()) -> Replay:
    """Return a recording as a load.

    Args:
        recording: The recording.
        name: The amount of the load, as it is written in annotations.csv.
        kinds: The installed kinds of load.
        changes: Changes of its demand, which may then exceed what the machine has.

    Raises:
        RecordingError: It has nothing to replay, or no values to change.
    """
    remarks = list(recording.remarks)
    frame = _changed(recording, changes, remarks).frame
    step = float(frame.index[0])
    parts = []
    for resource, rule in _RULES.items():
        if resource not in frame or rule.keyword not in kinds:
            continue
        values = _averaged(Values.of(frame[resource], step), remarks)
        options = {REPLAY: True, **rule.options}
        if resource == "mem" and len(values.value):  # what is always in use is in use on this machine too
            before = recording.frame[resource].min() if changes else values.value.min()
            options[LOWEST] = float(min(before, values.value.min()))
            values = values._replace(value=values.value - options[LOWEST])
        points = rule.profile(values)
        if points and max(value for _, value in points) > 0:
            parts.append(LoadPart(kinds[rule.keyword], name, rule.unit, tuple(points), options))
    if not parts:
        raise RecordingError([f"has nothing to replay: no value above 0 in {', '.join(recording.sources.values())}"])
    if any(part.kind.keyword == "net" for part in parts):
        remarks.append(LOOPBACK)
    return Replay(Load(tuple(parts)), float(frame.index[-1]), list(dict.fromkeys(remarks)))


def played_once(
    recording: MachineRecording,
    name: str,
    kinds: Kinds,
    window: Mapping[str, object],
    changes: Sequence[DemandChange] = (),
) -> Schedule:
    """Return the schedule that plays a recording, or a part of it, and says how much of it that is.

    Args:
        recording: The recording.
        name: Its name, for annotations.csv.
        kinds: The installed kinds of load.
        window: The part, as `parse_window` takes it; all of it where it is empty.
        changes: Changes of its demand.

    Raises:
        RecordingError: It has nothing to replay, or not this part, or lasts too long.
    """
    replay = replay_of(cut_recording(recording, parse_window(window)), name, kinds, changes)
    if not replay.duration_s <= LONGEST_S:
        raise RecordingError(["is longer than a year; play a part of it"])
    played = () if window else (f"all of it is played, {replay.duration_s:g} s",)
    remarks = (*replay.remarks, *played)
    scale = {"scale": " ".join(change.text for change in changes)} if changes else {}
    load = replace(replay.load, keywords={"replay": name, **window, **scale})
    return Schedule((ScheduledLoad("e1", 0.0, replay.duration_s, load, note="; ".join(remarks)),), remarks=remarks)


def _changed(recording: MachineRecording, changes: Sequence[DemandChange], remarks: list[str]) -> MachineRecording:
    """Return a recording with a changed demand, as far as this can be replayed.

    Raises:
        RecordingError: It does not have the resource.
    """
    try:
        changed = changed_recording(recording, changes)
    except ValueError as error:
        raise RecordingError([f"scale: {error}"]) from None
    frame = changed.frame
    for resource, most in MOST_DEMAND.items() if changes else ():
        if resource in frame and (frame[resource] > most).any():
            remarks.append(f"a demand above {most:.0%} for {resource} is replayed as {most:.0%}")
            frame = frame.assign(**{resource: frame[resource].clip(upper=most)})
    return replace(changed, frame=frame)


def fill_machine(schedule: Schedule, kinds: Kinds, *, limited: Collection[str] = ()) -> Schedule:
    """Return a schedule whose replays make the whole machine as busy as the recorded one was.

    What other processes use is left out of the load: CPU time and memory of an idle machine, and the CPU time of the
    other loads. It gives way to everything that runs beside it, so it is for a machine on which nothing is tested.

    Args:
        schedule: The schedule.
        kinds: The installed kinds of load.
        limited: The keywords of loads that have a limit: what is of the whole machine would not be counted.
    """
    has_cpus = usable_cpus() == os.cpu_count() and os.path.exists(STAT) and "cpu_total" in kinds
    has_memory = memory_limit() is None and usable_memory() is not None

    def filled(part: LoadPart) -> LoadPart:
        if part.kind.keyword == "cpu" and has_cpus:
            return replace(part, kind=kinds["cpu_total"])
        if part.kind.keyword == "mem" and has_memory:
            lowest = part.options[LOWEST]
            profile = tuple((at, lowest + rise) for at, rise in part.profile)
            return replace(part, profile=profile, options={**part.options, WHOLE: True})
        return part

    loads = {id(each.load): each.load for each in schedule.events}
    for key, load in loads.items():
        if "replay" in load.keywords:
            parts = (part if part.kind.keyword in limited else filled(part) for part in load.parts)
            loads[key] = replace(load, parts=tuple(parts))
    return replace(schedule, events=tuple(each._replace(load=loads[id(each.load)]) for each in schedule.events))


def replays_cpu(schedule: Schedule) -> bool:
    """Return whether a schedule replays CPU usage."""
    return any(_is_replayed_cpu(part) for event in schedule.events for part in event.load.parts)


def without_idle(schedule: Schedule, cpu: float) -> Schedule:
    """Return a schedule whose replays add less by what this machine does at idle, and never less than nothing.

    Memory stays, since its rise is replayed, and not its level.

    Args:
        schedule: The schedule.
        cpu: The share of the CPUs that is in use at idle.
    """
    if cpu <= 0 or not replays_cpu(schedule):
        return schedule

    def less(part: LoadPart) -> LoadPart:
        if not _is_replayed_cpu(part):
            return part
        return replace(part, profile=tuple((at, max(0.0, value - cpu)) for at, value in part.profile))

    events = []
    for event in schedule.events:
        parts = tuple(part for part in map(less, event.load.parts) if part.peak > 0)
        if parts:
            events.append(event._replace(load=replace(event.load, parts=parts)))
    return replace(schedule, events=tuple(events))


def _is_replayed_cpu(part: LoadPart) -> bool:
    return part.kind.keyword == "cpu" and REPLAY in part.options and part.unit == SHARE


class Values(NamedTuple):
    """The known values of a resource, each with its interval in seconds: since the end of the one before."""

    since: Any
    until: Any
    value: Any

    @classmethod
    def of(cls, column: pd.Series[float], step: float) -> Values:
        """Return the values of a column; the interval of the first is as long as that of the recording."""
        import numpy as np

        known = column.dropna()
        until = known.index.to_numpy()
        return cls(np.concatenate([until[:1] - step, until[:-1]]), until, known.to_numpy())


def _averaged(values: Values, remarks: list[str]) -> Values:
    """Return values over longer intervals, if there are too many for a profile."""
    import numpy as np

    rows = -(-len(values.value) // MOST_STEPS)
    if rows <= 1:
        return values
    first = np.arange(0, len(values.value), rows)
    lengths = np.add.reduceat(values.until - values.since, first)
    means = np.add.reduceat((values.until - values.since) * values.value, first) / lengths
    until = values.until[np.append(first[1:], len(values.value)) - 1]
    remarks.append(f"{rows} rows each are averaged, since it has {len(values.value)}; play a part of it for each row")
    return Values(values.since[first], until, means)


def _steps(values: Values) -> Points:
    """Return each value, held over its interval."""
    spans = zip(values.since.tolist(), values.until.tolist(), values.value.tolist(), strict=True)
    return [point for since, until, value in spans for point in ((since, value), (until, value))]


def _levels(values: Values) -> Points:
    """Return each value at the end of its interval: a level is that of a moment."""
    return list(zip(values.until.tolist(), values.value.tolist(), strict=True))


_RULES: Mapping[str, _Rule] = {
    "cpu": _Rule("cpu", SHARE, _steps),
    "mem": _Rule("mem", SHARE, _levels),
    "disk_write": _Rule("disk", RATE, _steps),
    "disk_read": _Rule("disk", RATE, _steps, {"pattern": 1.0}),
    "net_sent": _Rule("net", RATE, _steps),
}
