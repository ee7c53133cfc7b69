"""What if the machine had more to do: a table for the terminal, and a JSON document."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from pytest_twin.analysis.prediction.what_if import Overload
from pytest_twin.model.csv_text import visible
from pytest_twin.model.demand_change import CPU, DISK
from pytest_twin.model.duration_text import NOTHING, format_duration
from pytest_twin.model.quantity import format_share
from pytest_twin.report.console_text import console_text, print_line
from pytest_twin.report.wording import align

if TYPE_CHECKING:
    from datetime import datetime

    from rich.console import Console

    from pytest_twin.model.machine_recording import MachineRecording

VERSION = 1
ROWS = (
    "highest demand", "time above 100 %", "first after", "first at (UTC)", "stretches", "longest stretch",
    "median stretch", "CPU pressure",
)  # fmt: skip
CALIBRATE = "pytest-twin calibrate"


def overload_table(name: str, recording: MachineRecording, overloads: Sequence[Overload]) -> str:
    """Return a column for each change, and remarks.

    Args:
        name: The name of the recording, for people.
        recording: The recording.
        overloads: What was found.
    """
    return console_text(partial(_print, name, recording, overloads))


def overload_document(name: str, recording: MachineRecording, overloads: Sequence[Overload]) -> str:
    """Return the same as a JSON document."""
    found = {
        each.change.resource: {
            "change": each.change.text,
            "problem": each.problem,
            "highest_demand": None if each.problem else each.peak,
            "share_of_time": None if each.problem else each.share,
            "first_s": each.first_s,
            "stretches": len(each.stretches_s),
            "longest_s": each.longest_s,
            "median_s": each.median_s,
            "pressure": each.pressure,
            "pressure_of_mean_demand": each.pressure_of_mean,
        }
        for each in overloads
    }
    remarks = list(_remarks(recording, overloads))
    document = {"version": VERSION, "recording": name, "duration_s": _duration_s(recording), "what_if": found}
    return json.dumps(document | {"remarks": remarks}, indent=1, ensure_ascii=False, allow_nan=False)


def _duration_s(recording: MachineRecording) -> float:
    return float(recording.frame.index[-1])


def _print(name: str, recording: MachineRecording, overloads: Sequence[Overload], console: Console) -> None:
    duration = format_duration(_duration_s(recording))
    line = f"{visible(name)} ({duration}): when the changed demand exceeds what the machine has"
    print_line(console, line)
    columns = [_cells(each, recording.start) if not each.problem else [NOTHING] * len(ROWS) for each in overloads]
    heading = ("what if", *(each.change.text for each in overloads))
    rows = (row for row in zip(ROWS, *columns, strict=True) if {*row[1:]} != {NOTHING})
    for line in align([heading, *rows], last_left=False):
        print_line(console, line)
    for remark in _remarks(recording, overloads):
        print_line(console, f"note: {remark}")


def _cells(each: Overload, start: datetime | None) -> list[str]:
    """Return the cells of `ROWS`."""
    stretches = (str(len(each.stretches_s)), format_duration(each.longest_s), format_duration(each.median_s))
    pressure = NOTHING if each.pressure is None else format_share(each.pressure, 1)
    if each.first_s is None:
        return [format_share(each.peak, 1), "0 %", "never", NOTHING, "0", NOTHING, NOTHING, pressure]
    at = f"{start + timedelta(seconds=round(each.first_s)):%Y-%m-%d %H:%M:%S}" if start else NOTHING
    shares = (format_share(each.peak, 1), format_share(each.share, 1))
    return [*shares, format_duration(each.first_s), at, *stretches, pressure]


def _remarks(recording: MachineRecording, overloads: Sequence[Overload]) -> Iterator[str]:
    yield from recording.remarks
    yield from (f"{each.change.resource}: not judged: {each.problem}" for each in overloads if each.problem)
    judged = {each.change.resource for each in overloads if not each.problem}
    if CPU in judged:
        yield "cpu: where the recording shows 100 %, the demand may have been higher"
    yield from (_pressure_remark(each) for each in overloads if each.change.resource == CPU and not each.problem)
    if judged & {CPU, DISK}:
        yield "work that does not fit into an interval is not added to the next one, so stretches may last longer"


def _pressure_remark(each: Overload) -> str:
    if each.pressure is None or each.pressure_of_mean is None:
        return f"cpu: the pressure to expect is not known; run {CALIBRATE} on this machine, once after each start"
    return (
        "cpu: the pressure is that of loads of this size on this machine; "
        f"the mean demand all the time would cause {format_share(each.pressure_of_mean, 1)}"
    )
