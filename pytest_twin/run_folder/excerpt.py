"""The part of a dataset that is a test's: its rows, without what cells tell of the time before it or after it.

A share or an amount is of the time since its counter was read before. In the first sample of a test, and in the first
one after it, that is in part the time of others: those cells are empty here.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from pytest_twin._system.stdlib import os
from pytest_twin.model.counter_window import OFTEN_S, ROUNDING_S, counted_since
from pytest_twin.telemetry import probes
from pytest_twin.telemetry.probes.cores import is_of_one

if TYPE_CHECKING:
    from pathlib import Path

CHUNK = 1 << 16
BEFORE_S = 3.0  # rows of so long before a test tell of what time its first ones are


@cache
def windows() -> dict[str, float]:
    """The window of each column that has one."""
    return {column.name: column.window_s for column in probes.known() if column.window_s is not None}


def window_of(name: str) -> float | None:
    """The window of a column, None if it has the state at the time of the row."""
    return OFTEN_S if is_of_one(name) else windows().get(name)


class ExcerptWriter:
    """Cuts rows out of one dataset.

    Attributes:
        names: Its columns.
    """

    def __init__(self, heading: str) -> None:
        """Prepare it for a dataset with this first line."""
        self.names = heading.split(",")
        self._time = self.names.index("elapsed_s")
        self._places: dict[float, list[int]] = {}  # of the columns with the same window
        for place, name in enumerate(self.names):
            if (window_s := window_of(name)) is not None:
                self._places.setdefault(window_s, []).append(place)

    def time(self, line: str) -> float:
        """When a row was taken, in seconds since the run began."""
        return float(line.split(",", self._time + 1)[self._time])

    def cut(
        self, lines: Sequence[str], times: Sequence[float], began: float, ended: float, *, behind_s: float = 0.0
    ) -> list[str]:
        """The rows from one time to another, without the cells that tell of the time before or after.

        Args:
            lines: The rows of the dataset, in their order.
            times: Their times.
            began: When what they are cut out for began.
            ended: When it ended.
            behind_s: Keep the rows of so long after that too, which have only the state of that time.
        """
        first, after = bisect_left(times, began), bisect_right(times, ended)
        found = list(lines[first : max(after, bisect_left(times, ended + behind_s))])
        for window_s, places in self._places.items():
            own = self.first_own(times, began, window_s, first)
            for row in (*range(first, min(own, first + len(found))), *range(max(own, after), first + len(found))):
                found[row - first] = _without(found[row - first], places)
        return found

    def first_own(self, times: Sequence[float], began: float, window_s: float | None, first: int = 0) -> int:
        """The first row that tells of nothing before a time, in columns with this window."""
        row = max(first, bisect_left(times, began))
        if window_s is not None:
            while row < len(times) and counted_since(times, row, window_s) < began - ROUNDING_S:
                row += 1
        return row


class Excerpt:
    """The samples of a test that is running, read as they come; what was read is not read again.

    Attributes:
        heading: The first line of the dataset; empty before there is one.
    """

    def __init__(self, path: Path, began: float) -> None:
        """Prepare it; the dataset is opened when it is first read.

        Args:
            path: The dataset, in one piece.
            began: When the test began, in seconds since the run did.
        """
        self._path, self._began = path, began
        self.heading = ""
        self._fd: int | None = None
        self._offset = 0
        self._rest = b""  # of a line that is being written
        self._lines: list[str] = []
        self._times: list[float] = []
        self._cutter: ExcerptWriter | None = None

    def read(self) -> bool:
        """Take in what was written since; says whether there is anything of the dataset.

        Raises:
            OSError: It cannot be read.
        """
        if self._cutter is None:
            self._cutter = self._open()
        if self._cutter is None or self._fd is None:
            return self._cutter is not None
        os.lseek(self._fd, self._offset, os.SEEK_SET)
        while chunk := os.read(self._fd, CHUNK):
            self._offset += len(chunk)
            whole, end, self._rest = (self._rest + chunk).rpartition(b"\n")
            lines = whole.decode("utf-8", "replace").split("\n") if end else []
            self._lines += lines
            self._times += map(self._cutter.time, lines)
        return True

    def lines(self) -> list[str]:
        """The rows of the test so far, without what is not its own."""
        return self._cutter.cut(self._lines, self._times, self._began, float("inf")) if self._cutter else []

    def has_own(self, name: str | None = None) -> bool:
        """Whether a row of the test has been read; of a column, one that tells of nothing before the test in it."""
        if self._cutter is None:
            return False
        window_s = window_of(name) if name else None
        return self._cutter.first_own(self._times, self._began, window_s) < len(self._times)

    def column(self, name: str) -> list[float]:
        """The numbers of a column of `lines`."""
        if self._cutter is None:
            return []
        place = self._cutter.names.index(name)
        return [value for line in self.lines() if (value := _number(line.split(",", place + 1)[place])) is not None]

    def close(self) -> None:
        """Let go of the dataset."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _open(self) -> ExcerptWriter | None:
        """Open it, and go to a row before the test, however many there are before that; None where there is nothing."""
        try:
            self._fd = os.open(self._path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0))
        except FileNotFoundError:
            return None
        heading, end, _ = os.read(self._fd, CHUNK).partition(b"\n")
        if not end:
            self.close()
            return None
        self.heading = heading.decode("utf-8", "replace")
        cutter = ExcerptWriter(self.heading)
        begin, back = len(heading) + 1, CHUNK
        size = os.lseek(self._fd, 0, os.SEEK_END)
        self._offset = begin
        while size - back > begin:
            os.lseek(self._fd, size - back, os.SEEK_SET)
            skipped, end, rest = os.read(self._fd, CHUNK).partition(b"\n")
            if end and b"\n" in rest and cutter.time(rest.partition(b"\n")[0].decode()) < self._began - BEFORE_S:
                self._offset = size - back + len(skipped) + 1
                break
            back *= 2
        return cutter


def _without(line: str, places: Sequence[int]) -> str:
    cells = line.split(",")
    for place in places:
        cells[place] = ""
    return ",".join(cells)


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None
