"""Turn a recording into a load: the values of its intervals become profiles over time.

The CPU is replayed as it was, memory as its rise above the lowest level, disks and networks as rates; what went over a
network goes over the loopback interface.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_twin.loads.spec import Kinds, Load, LoadPart
from pytest_twin.model.machine_formats.parser import RecordingError
from pytest_twin.stressors.spec.kind import RATE, SHARE

if TYPE_CHECKING:
    import pandas as pd

    from pytest_twin.model.machine_recording import MachineRecording
    from pytest_twin.stressors.spec.profile import Points

MOST_STEPS = 50_000  # of one profile, which is sent to processes; more are averaged
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
    profile: Callable[[Values, float], Points]
    options: Mapping[str, Any] = {}


def replay_of(recording: MachineRecording, name: str, kinds: Kinds) -> Replay:
    """Return a recording as a load.

    Args:
        recording: The recording.
        name: The amount of the load, as it is written in annotations.csv.
        kinds: The installed kinds of load.

    Raises:
        RecordingError: It has nothing to replay.
    """
    frame, remarks = recording.frame, list(recording.remarks)
    step = float(frame.index[0])
    parts = []
    for resource, rule in _RULES.items():
        if resource not in frame or rule.keyword not in kinds:
            continue
        values = _averaged(Values.of(frame[resource], step), remarks)
        points = rule.profile(values, step)
        if points and max(value for _, value in points) > 0:
            parts.append(LoadPart(kinds[rule.keyword], name, rule.unit, tuple(points), rule.options))
    if not parts:
        raise RecordingError([f"has nothing to replay: no value above 0 in {', '.join(recording.sources.values())}"])
    if any(part.kind.keyword == "net" for part in parts):
        remarks.append(LOOPBACK)
    return Replay(Load(tuple(parts)), float(frame.index[-1]), list(dict.fromkeys(remarks)))


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


def _steps(values: Values, step: float) -> Points:  # noqa: ARG001
    """Return each value, held over its interval."""
    spans = zip(values.since.tolist(), values.until.tolist(), values.value.tolist(), strict=True)
    return [point for since, until, value in spans for point in ((since, value), (until, value))]


def _rise(values: Values, step: float) -> Points:
    """Return the rise above the lowest level: memory that is always in use is in use on this machine too."""
    if not len(values.value):
        return []
    rises = values.value - values.value.min()
    return list(zip((values.until - step).tolist(), rises.tolist(), strict=True))


_RULES: Mapping[str, _Rule] = {
    "cpu": _Rule("cpu", SHARE, _steps),
    "mem": _Rule("mem", SHARE, _rise),
    "disk_write": _Rule("disk", RATE, _steps),
    "disk_read": _Rule("disk", RATE, _steps, {"pattern": 1.0}),
    "net_sent": _Rule("net", RATE, _steps),
}
