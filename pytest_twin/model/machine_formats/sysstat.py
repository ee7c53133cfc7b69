"""Parse the text of ``sar``, and that of ``sadf -d``: sections of rows, one after another, for the same times."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from pytest_twin.model.error_text import shown
from pytest_twin.model.machine_formats.column_meaning import LEVEL, RATE, SHARE
from pytest_twin.model.machine_formats.recorded_series import RecordedSeries, RecordingError, TimedSeries, rows_error

if TYPE_CHECKING:
    from collections.abc import Mapping

KIB, SECTOR = 2**10, 512
NOT_DISKS = re.compile(r"loop|ram|zram|sr\d|fd\d|dm-|md\d|nbd")  # and what lies on disks that are counted already
NOT_NETWORKS = re.compile(r"lo$|veth|docker|br-|virbr|ifb|bond\d|tun|tap|vnet|cni|flannel")
_PARTITION = re.compile(r"(?:(.*\d)p\d+|([a-z]+)\d+)")
_SAR_HEADING = re.compile(r"^(?:\S+ )?(?:Linux|SunOS|AIX) .*(\d+ CPU\)|\))\s*$|^Linux \S+ \(.*\)", re.MULTILINE)
_TIME = re.compile(r"(\d\d):(\d\d):(\d\d)(?:\s+([AP]M))?(?=\s)")
_CELL = re.compile(r"-?[\d.,]+")
_DATE = re.compile(r"\s(\d{4}-\d\d-\d\d|\d\d/\d\d/\d{2,4}|\d\d\.\d\d\.\d{2,4})\s")


class _SysstatRow(NamedTuple):
    """A row of a section: its line, its time in seconds since 1970, the length of its interval, and its cells."""

    line: int
    time: float
    interval_s: float | None
    cells: Mapping[str, str]


class _Sum(NamedTuple):
    """How a resource is read: the columns that are added up, their form, and the factor of their unit."""

    resource: str
    columns: Sequence[str]
    form: str
    factor: float
    label: str
    is_free: bool = False


_SUMS = (
    _Sum("cpu", ("%idle", "%iowait"), SHARE, 0.01, "100 - %idle - %iowait", is_free=True),
    _Sum("cpu_user", ("%user", "%usr", "%nice"), SHARE, 0.01, "%user + %nice"),
    _Sum("cpu_system", ("%system", "%sys", "%irq", "%soft"), SHARE, 0.01, "%system"),
    _Sum("mem", ("%memused",), SHARE, 0.01, "%memused"),
    _Sum("mem_bytes", ("kbmemused",), LEVEL, KIB, "kbmemused"),
    _Sum("disk_read", ("rkB/s",), RATE, KIB, "rkB/s"),
    _Sum("disk_read", ("rd_sec/s",), RATE, SECTOR, "rd_sec/s"),
    _Sum("disk_read", ("bread/s",), RATE, SECTOR, "bread/s"),
    _Sum("disk_write", ("wkB/s",), RATE, KIB, "wkB/s"),
    _Sum("disk_write", ("wr_sec/s",), RATE, SECTOR, "wr_sec/s"),
    _Sum("disk_write", ("bwrtn/s",), RATE, SECTOR, "bwrtn/s"),
    _Sum("net_sent", ("txkB/s",), RATE, KIB, "txkB/s"),
    _Sum("net_sent", ("txbyt/s",), RATE, 1, "txbyt/s"),
    _Sum("net_received", ("rxkB/s",), RATE, KIB, "rxkB/s"),
    _Sum("net_received", ("rxbyt/s",), RATE, 1, "rxbyt/s"),
)


def is_sadf(head: str) -> bool:
    """Tell whether a text begins as that of ``sadf -d``."""
    return head.lstrip().startswith("# hostname;interval;timestamp")


def is_sar(head: str) -> bool:
    """Tell whether a text begins as that of ``sar``."""
    return _SAR_HEADING.search(head.lstrip().partition("\n")[0]) is not None


def parse_sadf(text: str) -> TimedSeries:
    """Parse the text of ``sadf -d``.

    Raises:
        RecordingError: It has no rows, or a cell is not what its column has.
    """
    return _series(_sadf_rows(text), [])


def parse_sar(text: str) -> TimedSeries:
    """Parse the text of ``sar``.

    Raises:
        RecordingError: It has no rows, or a cell is not what its column has.
    """
    remarks: list[str] = []
    return _series(_sar_rows(text, remarks), remarks)


def _sadf_rows(text: str) -> Iterator[_SysstatRow]:
    names: list[str] = []
    for line, content in enumerate(text.splitlines(), 1):
        cells = content.split(";")
        if content.startswith("# hostname;"):
            names = cells
        elif len(cells) < 4 or "LINUX-RESTART" in content or "COM" in cells[3:4]:
            continue
        elif len(cells) != len(names):
            raise RecordingError([f"row {line}: has {len(cells)} cells, but the heading above it has {len(names)}"])
        else:
            row = dict(zip(names, cells, strict=True))
            yield _SysstatRow(line, _sadf_time(row["timestamp"], line), _positive(row["interval"]), row)


def _positive(cell: str) -> float | None:
    return float(cell) if cell.isdecimal() and int(cell) > 0 else None


def _sadf_time(cell: str, line: int) -> float:
    if cell.isdecimal():
        return float(cell)
    try:
        return datetime.fromisoformat(cell.removesuffix(" UTC")).replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise RecordingError(
            [f"row {line}: timestamp: {shown(cell)} is not a time such as 2026-11-28 10:00:00"]
        ) from None


def _sar_rows(text: str, remarks: list[str]) -> Iterator[_SysstatRow]:
    names: tuple[str, ...] = ()
    day = _sar_day(text, remarks)
    latest: dict[tuple[str, ...], float] = {}  # of each section: sections are one after another, or in turns
    for line, content in enumerate(text.splitlines(), 1):
        found = _TIME.match(content)
        cells = content[found.end() :].split() if found else []
        if not found or not cells or "RESTART" in content:
            continue  # averages at the end, and what stands between sections
        at = day + _seconds_of_day(found)
        if not any(_CELL.fullmatch(cell) for cell in cells[1:] or cells):
            names = tuple(cells)
            latest[names] = _on_day(at, latest.get(names, day))
            continue
        if not names or len(cells) != len(names):
            raise RecordingError([f"row {line}: has {len(cells)} cells, but the heading above it has {len(names)}"])
        at = _on_day(at, latest[names])
        interval = at - latest[names] if at > latest[names] else None
        latest[names] = at
        yield _SysstatRow(line, at, interval, dict(zip(names, (cell.replace(",", ".") for cell in cells), strict=True)))


def _on_day(at: float, earliest: float) -> float:
    """Return a time on the first day on which it is not before another one: after midnight it is the next day."""
    return at + max(0, -((at - earliest) // 86400)) * 86400


def _seconds_of_day(found: re.Match[str]) -> float:
    hour = int(found[1]) % 12 + 12 * (found[4] == "PM") if found[4] else int(found[1])
    return 3600 * hour + 60 * int(found[2]) + int(found[3])


def _sar_day(text: str, remarks: list[str]) -> float:
    """Return the start of the day in the first line, in seconds since 1970."""
    heading = text.lstrip().partition("\n")[0]
    found = _DATE.search(heading)
    if not found:
        raise RecordingError(["row 1: has no date; keep the first line that sar prints"])
    written = found[1]
    for form in ("%Y-%m-%d", "%m/%d/%Y", "%m/%d/%y", "%d/%m/%Y", "%d/%m/%y", "%d.%m.%Y", "%d.%m.%y"):
        try:
            day = datetime.strptime(written, form).replace(tzinfo=UTC)
        except ValueError:
            continue
        if "-" not in written:
            remarks.append(f"row 1: {written} is read as {day:%Y-%m-%d}")
        return day.timestamp()
    raise RecordingError([f"row 1: {shown(written)} is not a date"])


def _series(rows: Iterator[_SysstatRow], remarks: list[str]) -> TimedSeries:
    import numpy as np

    values: dict[_Sum, dict[float, float]] = {}
    devices: dict[str, dict[str, None]] = {}
    intervals: dict[float, float | None] = {}
    lines: dict[float, int] = {}
    problems: list[str] = []
    for row in rows:
        if not _is_counted(row.cells, devices):
            continue
        lines.setdefault(row.time, row.line)
        intervals.setdefault(row.time, row.interval_s)
        for each in _SUMS:
            if present := [name for name in each.columns if name in row.cells]:
                _add(values.setdefault(each, {}), row, each, present, problems)
    if problems:
        raise rows_error(problems)
    times = sorted(lines)
    chosen = _chosen(values)
    if len(times) < 2 or not chosen:
        raise RecordingError(["has fewer than two rows of CPU (-u), memory (-r), disk (-d, -b) or network (-n DEV)"])
    series = [
        RecordedSeries(
            each.resource, each.form, each.label, np.array([_final(each, values[each].get(at)) for at in times]),
            _source(each, devices),
        )
        for each in chosen
    ]  # fmt: skip
    start = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=times[0])
    at_line = [lines[at] for at in times]
    return TimedSeries(np.array(times), start, series, at_line.__getitem__, intervals[times[0]], remarks)


def _is_counted(cells: Mapping[str, str], devices: dict[str, dict[str, None]]) -> bool:
    """Tell whether a row is of all CPUs, or of a device that is not part of another one."""
    if "CPU" in cells:
        return cells["CPU"] in {"all", "-1"}
    for column, excluded in (("DEV", NOT_DISKS), ("IFACE", NOT_NETWORKS)):
        if column in cells:
            name = cells[column]
            if excluded.match(name):
                return False
            seen = devices.setdefault(column, {})
            part = _PARTITION.fullmatch(name) if column == "DEV" else None
            if part and (part[1] or part[2]) in seen:
                return False
            seen[name] = None
    return True


def _add(sums: dict[float, float], row: _SysstatRow, each: _Sum, present: Sequence[str], problems: list[str]) -> None:
    for name in present:
        try:
            sums[row.time] = sums.get(row.time, 0.0) + float(row.cells[name]) * each.factor
        except ValueError:
            problems.append(f"row {row.line}: {name}: {shown(row.cells[name])} is not a number")


def _final(each: _Sum, value: float | None) -> float:
    if value is None:
        return float("nan")
    return 1.0 - value if each.is_free else value


def _chosen(values: Mapping[_Sum, object]) -> list[_Sum]:
    """Return the first way of reading each resource that the sections have."""
    found: dict[str, _Sum] = {}
    for each in _SUMS:
        if each in values:
            found.setdefault(each.resource, each)
    return list(found.values())


def _source(each: _Sum, devices: Mapping[str, Mapping[str, None]]) -> str:
    kind = "IFACE" if each.resource.startswith("net") else "DEV" if each.label not in {"bread/s", "bwrtn/s"} else ""
    names = list(devices.get(kind, ())) if each.form == RATE else []
    return f"{each.label} of {', '.join(names)}" if names else each.label
