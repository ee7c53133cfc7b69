"""Cut the rows of one test out of a dataset, without the cells that cover time before or after the test.

A share or an amount covers the time since its counter was read before. In the first sample of a test, and in the first
one after it, that includes time of others: those cells are left empty.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from pytest_twin.model.counter_window import OFTEN_S, ROUNDING_S, counted_since
from pytest_twin.run_folder.follow import CsvFollower
from pytest_twin.run_folder.sample_lines import time_reader
from pytest_twin.telemetry import probes
from pytest_twin.telemetry.probes.cores import is_core_column

if TYPE_CHECKING:
    from pathlib import Path

BEFORE_S = 3.0  # rows of so long before a test tell of what time its first ones are


@cache
def windows() -> dict[str, float]:
    """Return the window in seconds of each column that has one."""
    return {column.name: column.window_s for column in probes.known_columns() if column.window_s is not None}


def window_of(name: str) -> float | None:
    """Return the window of a column in seconds; None if it has the state at the time of the row."""
    return OFTEN_S if is_core_column(name) else windows().get(name)


class ExcerptWriter:
    """Cuts rows out of one dataset.

    Attributes:
        names: Its columns.
        time: Reads the time of a row, in seconds since the run began.
    """

    def __init__(self, heading: str) -> None:
        """Prepare for a dataset with this first line."""
        self.names = heading.split(",")
        self.time = time_reader(heading)
        self._places: dict[float, list[int]] = {}  # of the columns with the same window
        for place, name in enumerate(self.names):
            if (window_s := window_of(name)) is not None:
                self._places.setdefault(window_s, []).append(place)

    def cut(
        self, lines: Sequence[str], times: Sequence[float], began: float, ended: float, *, behind_s: float = 0.0
    ) -> list[str]:
        """Return the rows from one time to another, without the cells that cover time before or after.

        Args:
            lines: The rows of the dataset, in their order.
            times: Their times.
            began: Start of the excerpt, in seconds since the run began.
            ended: End of the excerpt.
            behind_s: Keep also the rows of this many seconds after the end, with only the state at their time.
        """
        first, after = bisect_left(times, began), bisect_right(times, ended)
        found = list(lines[first : max(after, bisect_left(times, ended + behind_s))])
        for window_s, places in self._places.items():
            own = self.first_own(times, began, window_s, first)
            for row in (*range(first, min(own, first + len(found))), *range(max(own, after), first + len(found))):
                found[row - first] = _clear_cells(found[row - first], places)
        return found

    def first_own(self, times: Sequence[float], began: float, window_s: float | None, first: int = 0) -> int:
        """Return the index of the first row whose cells in columns with this window cover no earlier time."""
        row = max(first, bisect_left(times, began))
        if window_s is not None:
            while row < len(times) and counted_since(times, row, window_s) < began - ROUNDING_S:
                row += 1
        return row


class Excerpt:
    """The samples of a test that is running, read from the dataset as they are appended; no row is read twice."""

    def __init__(self, path: Path, began: float) -> None:
        """Prepare to read; the dataset is opened by the first call of `read`.

        Args:
            path: The dataset.
            began: When the test began, in seconds since the run began.
        """
        self._began = began
        self._follower = CsvFollower(path, is_early=self._is_early)
        self._lines: list[str] = []
        self._times: list[float] = []
        self._cutter: ExcerptWriter | None = None

    @property
    def heading(self) -> str:
        """The first line of the dataset; empty while there is none."""
        return self._follower.heading

    def read(self) -> bool:
        """Read the rows that were appended since the last call, and tell whether there is a dataset.

        Raises:
            OSError: The dataset cannot be read.
        """
        for text in self._follower.texts():
            cutter = self._cutter = self._cutter or ExcerptWriter(self.heading)
            lines = text.removesuffix("\n").split("\n")
            self._lines += lines
            self._times += map(cutter.time, lines)
        if self._cutter is None and self.heading:
            self._cutter = ExcerptWriter(self.heading)
        return self._cutter is not None

    def lines(self) -> list[str]:
        """Return the rows of the test so far, without the cells that are in part of the time before it."""
        return self._cutter.cut(self._lines, self._times, self._began, float("inf")) if self._cutter else []

    def has_own(self, name: str | None = None) -> bool:
        """Tell whether a row of the test was read; for a column, one whose cell is of the test's time alone."""
        if self._cutter is None:
            return False
        window_s = window_of(name) if name else None
        return self._cutter.first_own(self._times, self._began, window_s) < len(self._times)

    def column(self, name: str) -> list[float]:
        """Return the numbers of a column of `lines`."""
        if self._cutter is None:
            return []
        place = self._cutter.names.index(name)
        return [value for line in self.lines() if (value := _number(line.split(",", place + 1)[place])) is not None]

    def close(self) -> None:
        """Close the dataset."""
        self._follower.close()

    def _is_early(self, heading: str, line: str) -> bool:
        """Tell whether the rows before a row of the dataset are not needed."""
        return time_reader(heading)(line) < self._began - BEFORE_S


def _clear_cells(line: str, places: Sequence[int]) -> str:
    cells = line.split(",")
    for place in places:
        cells[place] = ""
    return ",".join(cells)


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None
