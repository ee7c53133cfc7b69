"""The part of a recording that an event of a schedule replays: between two times, or where the CPU was busiest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any, NamedTuple

from pytest_twin.model.error_text import shown, unknown
from pytest_twin.model.machine_formats.parser import RecordingError
from pytest_twin.model.machine_recording import MachineRecording
from pytest_twin.model.quantity import format_share, parse_duration

Moment = float | time | datetime  # seconds since the start of the recording, a time of day, or a time; both in UTC

_TIME_OF_DAY = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}[ T].+", re.ASCII)
TOO_MANY = "has both busiest and from or to; remove one"
_KNOWN = 'write a time of day such as "10:00", or an offset such as "90s"'


class Window(NamedTuple):
    """A part of a recording; all of it where no field is set.

    Attributes:
        since: Its start; None for that of the recording.
        until: Its end; None for that of the recording.
        busiest_s: The length of the part with the highest mean of the CPU (or of the first resource) in seconds.
    """

    since: Moment | None = None
    until: Moment | None = None
    busiest_s: float | None = None


WHOLE = Window()


def parse_moment(raw: object) -> Moment:
    """Parse the start or the end of a window.

    Raises:
        ValueError: It is neither a time of day, nor a time, nor an offset.
    """
    if not isinstance(raw, str):
        return parse_duration(raw)
    try:
        if found := _TIME_OF_DAY.fullmatch(raw.strip()):
            return time(int(found[1]), int(found[2]), int(found[3] or 0), tzinfo=UTC)
        if _DATE.fullmatch(raw.strip()):
            moment = datetime.fromisoformat(raw.strip())
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except ValueError:
        raise ValueError(f"{shown(raw)} is not a time; {_KNOWN}") from None
    try:
        return parse_duration(raw)
    except ValueError as error:
        raise ValueError(f"{shown(raw)} is not a time; {_KNOWN}" if "is not a dur" in str(error) else error) from None


def parse_window(words: Mapping[str, object]) -> Window:
    """Parse a window from its keywords: ``from`` and ``to``, or ``busiest``.

    Raises:
        ValueError: A keyword is unknown or has an error, or they exclude each other.
    """
    parse = {"from": parse_moment, "to": parse_moment, "busiest": parse_duration}
    values: list[Any] = []
    for key in words:
        if key not in parse:
            raise ValueError(unknown(key, parse, "keyword"))
    for key, parser in parse.items():
        try:
            values.append(parser(words[key]) if key in words else None)
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from None
    window = Window(*values)
    if window.busiest_s is not None and window != Window(busiest_s=window.busiest_s):
        raise ValueError(TOO_MANY)
    return window


def cut_recording(recording: MachineRecording, window: Window, what: str = "played") -> MachineRecording:
    """Return the part of a recording in a window, with a remark on how much of it that is.

    Args:
        recording: The recording.
        window: The window.
        what: What happens with the part, for the remark.

    Raises:
        RecordingError: The window is not within the recording.
    """
    if window == WHOLE:
        return recording
    whole = float(recording.frame.index[-1])
    if window.busiest_s is not None:
        since, until = _busiest(recording, window.busiest_s)
    else:
        since = 0.0 if window.since is None else _offset(recording, "from", window.since, 0.0)
        until = whole if window.until is None else _offset(recording, "to", window.until, since)
        if until <= since:
            raise RecordingError([f"to: is not after from ({until:g} s and {since:g} s after the start)"])
    ends = recording.frame.index.to_numpy()
    begins = recording.frame.index.to_series().shift(fill_value=0.0).to_numpy()
    frame = recording.frame[(ends > since) & (begins < until)]
    frame = frame.set_axis(frame.index.to_series().clip(upper=until).sub(since).rename("elapsed_s"), axis="index")
    start = recording.start + timedelta(seconds=since) if recording.start else None
    at = f"{start:%Y-%m-%d %H:%M:%S} UTC" if start else f"{since:g} s after its start"
    played = f"{until - since:g} s of {whole:g} s are {what} ({format_share((until - since) / whole, 1)}), from {at}"
    return replace(recording, frame=frame, start=start, remarks=(*recording.remarks, played))


def _offset(recording: MachineRecording, key: str, moment: Moment, earliest: float) -> float:
    """Return a time as seconds since the start; a time of day is the first one after the earliest.

    Raises:
        RecordingError: It is not within the recording.
    """
    whole = float(recording.frame.index[-1])
    if isinstance(moment, time | datetime):
        if recording.start is None:
            raise RecordingError([f'{key}: the recording has no dates; give an offset such as "90s"'])
        if isinstance(moment, time):
            moment = datetime.combine(recording.start.date(), moment)
            days = (recording.start + timedelta(seconds=earliest) - moment) // timedelta(days=1)
            moment += timedelta(days=max(0, days + 1)) if days >= 0 else timedelta()
        offset = (moment - recording.start).total_seconds()
    else:
        offset = moment
    if not 0 <= offset <= whole or (key == "from" and offset == whole):
        lasts = f"from {recording.start:%Y-%m-%d %H:%M:%S} UTC, " if recording.start else ""
        raise RecordingError([f"{key}: is not within the recording, which lasts {lasts}{whole:g} s"])
    return offset


def _busiest(recording: MachineRecording, length: float) -> tuple[float, float]:
    """Return the start and the end of the part with the highest mean.

    Raises:
        RecordingError: The recording is shorter.
    """
    import numpy as np

    column = recording.frame["cpu" if "cpu" in recording.frame else recording.frame.columns[0]].fillna(0.0)
    ends = np.concatenate([[0.0], column.index.to_numpy()])
    if length > ends[-1]:
        raise RecordingError([f"busiest: {length:g} s are more than the recording has, which lasts {ends[-1]:g} s"])
    if length <= 0:
        raise RecordingError(["busiest: 0 s are no part of a recording"])
    integral = np.concatenate([[0.0], np.cumsum(column.to_numpy() * np.diff(ends))])
    starts = np.unique(np.clip(np.concatenate([ends, ends - length]), 0.0, ends[-1] - length))
    work = np.interp(starts + length, ends, integral) - np.interp(starts, ends, integral)
    since = float(starts[int(np.argmax(np.round(work, 9)))])
    return since, since + length
