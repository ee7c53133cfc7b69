"""Changes of the demand for a resource, such as ``cpu*1.5 mem+4GiB disk*2``, and a recording with this demand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from pytest_twin.model.error_text import shown
from pytest_twin.model.quantity import parse_amount
from pytest_twin.stressors.spec.kind import BYTES, RATE, SHARE

if TYPE_CHECKING:
    import pandas as pd

    from pytest_twin.model.machine_recording import MachineRecording

CPU, MEMORY, DISK = "cpu", "mem", "disk"
UNITS = {CPU: (SHARE,), MEMORY: (BYTES, SHARE), DISK: (RATE,)}  # of an amount that is added
EXAMPLES = {CPU: "cpu*1.5 or cpu+20%", MEMORY: "mem*2 or mem+4GiB", DISK: "disk*2 or disk+50MB/s"}
COLUMNS = {CPU: ("cpu",), MEMORY: ("mem",), DISK: ("disk_read", "disk_write")}  # of a recording, which add up
PARTS_OF_CPU = ("cpu_user", "cpu_system")  # nobody knows which of them a change is of
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


def parse_changes(raw: object) -> tuple[DemandChange, ...]:
    """Parse changes such as ``cpu*1.5 mem+4GiB disk*2``, at most one of each resource.

    Raises:
        ValueError: One cannot be read; the message is for the user.
    """
    if not isinstance(raw, str):
        raise ValueError(f'{shown(raw)} is not a text of changes such as "{EXAMPLES[CPU].partition(" ")[0]}"')
    changes = tuple(_parse_change(word) for word in raw.split())
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


def changed_recording(recording: MachineRecording, changes: Sequence[DemandChange]) -> MachineRecording:
    """Return a recording with a changed demand, which may exceed what the machine has.

    A rate that is added to the disk is divided into reads and writes as the recorded bytes are. CPU time in user mode
    and in the kernel is left out where that of the CPU is changed.

    Raises:
        ValueError: The recording does not have the resource, or does not tell how much bytes of memory are.
    """
    if not changes:
        return recording
    columns: dict[str, pd.Series[float]] = {str(name): recording.frame[name] for name in recording.frame.columns}
    for change in changes:
        recorded = [name for name in COLUMNS[change.resource] if name in columns and columns[name].notna().any()]
        if not recorded:
            raise ValueError(f"the recording has no values of {' or '.join(COLUMNS[change.resource])}")
        shares = _shares([columns[name] for name in recorded])
        extra = change.extra / total_memory(recording) if change.unit == BYTES else change.extra
        for name, share in zip(recorded, shares, strict=True):
            columns[name] = columns[name] * change.factor + extra * share
        if change.resource == MEMORY and "mem_bytes" in columns:
            more = extra * total_memory(recording) if extra else 0.0
            columns["mem_bytes"] = columns["mem_bytes"] * change.factor + more
        for name in PARTS_OF_CPU if change.resource == CPU else ():
            columns.pop(name, None)
    return replace(recording, frame=recording.frame[list(columns)].assign(**columns))


def within_machine(recording: MachineRecording) -> MachineRecording:
    """Return a recording as the machine would have shown it: no more than all CPUs and all memory are in use."""
    columns = [name for name in ("cpu", "mem") if name in recording.frame]
    limited = {name: recording.frame[name].clip(upper=1.0) for name in columns}
    return replace(recording, frame=recording.frame.assign(**limited))


def total_memory(recording: MachineRecording) -> float:
    """Return the bytes of memory that the recorded machine has.

    Raises:
        ValueError: The recording does not tell.
    """
    frame = recording.frame
    if "mem_bytes" in frame and "mem" in frame:
        totals = (frame["mem_bytes"] / frame["mem"])[frame["mem"] > 0].dropna()
        if len(totals):
            return float(totals.median())
    raise ValueError("the recording does not tell how much memory the machine has; give a share, such as mem+10%")


def _shares(columns: Sequence[pd.Series[float]]) -> Sequence[float]:
    """Return the share of each column in their sum; all of it is the last one's if the sum is 0."""
    sums = [float(column.sum()) for column in columns]
    total = sum(sums)
    return [each / total for each in sums] if total > 0 else [*[0.0] * (len(sums) - 1), 1.0]
