"""Parse the text of ``vmstat``, with the times of ``vmstat -t`` or without."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from pytest_twin.model.error_text import shown
from pytest_twin.model.machine_formats.column_meaning import RATE, SHARE
from pytest_twin.model.machine_formats.recorded_series import RecordedSeries, RecordingError, TimedSeries

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK = 2**10  # bytes
_TITLE = re.compile(r"\s*-*procs\s*-+\s*-*memory-+", re.MULTILINE)
_NAMES = re.compile(r"\s*r\s+b\s+swpd\s+free\s")


class _VmstatRow(NamedTuple):
    """A row: its line, its time where it has one, and its numbers by the names of their columns."""

    line: int
    time: datetime | None
    cells: dict[str, float]


def is_vmstat(head: str) -> bool:
    """Tell whether a text is that of ``vmstat``."""
    return any(_TITLE.match(line) or _NAMES.match(line) for line in head.lstrip("\n").split("\n")[:3])


def parse_vmstat(text: str, interval_s: float) -> TimedSeries:
    """Parse the text of ``vmstat``.

    Args:
        text: The text.
        interval_s: The seconds between two rows where they have no times.

    Raises:
        RecordingError: It has fewer than two rows after the first, or a row is not one of vmstat.
    """
    import numpy as np

    remarks = ["memory is not read: vmstat does not say how much memory the machine has"]
    found = list(_rows(text, remarks))[1:]
    if len(found) < 2:
        raise RecordingError(["has fewer than two rows after the first one, which is the average since the start"])
    remarks.append(f"row {found[0].line - 1}: is the average since the start of the machine, and left out")
    start = found[0].time
    if start is None or any(row.time is None for row in found):
        times = [interval_s * at for at in range(len(found))]
        start = None
        remarks.append(f"the rows have no times: an interval of {interval_s:g} s is assumed; record with vmstat -t")
    else:
        times = [(row.time - start).total_seconds() for row in found if row.time is not None]
        for at in range(1, len(times)):
            if times[at] <= times[at - 1]:
                raise RecordingError([f"row {found[at].line}: is not later than the row above; sort the rows by time"])

    def column(*names: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.array([sum(row.cells.get(name, 0.0) for name in names) for row in found])

    idle = column("id", "wa") / 100
    series = [
        RecordedSeries("cpu", SHARE, "id", 1 - idle, "100 - id - wa"),
        RecordedSeries("cpu_user", SHARE, "us", column("us", "gu") / 100, "us"),
        RecordedSeries("cpu_system", SHARE, "sy", column("sy") / 100, "sy"),
        RecordedSeries("disk_read", RATE, "bi", column("bi") * BLOCK, "bi, in blocks of 1024 bytes"),
        RecordedSeries("disk_write", RATE, "bo", column("bo") * BLOCK, "bo, in blocks of 1024 bytes"),
    ]
    lines = [row.line for row in found]
    return TimedSeries(np.array(times), start, series, lines.__getitem__, remarks=remarks)


def _rows(text: str, remarks: list[str]) -> Iterator[_VmstatRow]:
    names: list[str] = []
    for line, content in enumerate(text.splitlines(), 1):
        cells = content.split()
        if not cells or _TITLE.match(content):
            continue
        if _NAMES.match(content):
            names = [name for name in cells if not name.isupper()]
            if (zone := cells[-1]).isupper() and zone not in {"UTC", "GMT"}:
                remarks.append(f"times in {zone} are read as UTC")
            continue
        numbers, rest = cells[: len(names)], cells[len(names) :]
        if not names or len(numbers) != len(names) or not all(cell.isdecimal() for cell in numbers):
            raise RecordingError(
                [f"row {line}: {shown(content.strip())} is not a row of vmstat with {len(names)} numbers"]
            )
        yield _VmstatRow(line, _time(rest, line), dict(zip(names, map(float, numbers), strict=True)))


def _time(cells: list[str], line: int) -> datetime | None:
    if not cells:
        return None
    try:
        return datetime.fromisoformat(" ".join(cells[:2])).replace(tzinfo=UTC)
    except ValueError:
        raise RecordingError(
            [f"row {line}: {shown(' '.join(cells))} is not a time such as 2026-11-28 10:00:00"]
        ) from None
