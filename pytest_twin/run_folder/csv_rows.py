"""Read the CSV files of a run with the standard library: sample lines by their time, and the last row of a file."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import IO, TYPE_CHECKING, NamedTuple

from pytest_twin._system.append_file import LONGEST_ROW
from pytest_twin._system.stdlib import os
from pytest_twin.model.csv_text import records
from pytest_twin.run_folder.rotation import GZIP, open_segment

if TYPE_CHECKING:
    from pathlib import Path

ELAPSED = "elapsed_s"


def time_reader(heading: str) -> Callable[[str], float]:
    """Return a function that reads the time of a sample line, in seconds since the run began.

    Raises:
        ValueError: The dataset with this first line has no column for the time.
    """
    place = heading.split(",").index(ELAPSED)

    def time_of(line: str) -> float:
        return float(line.split(",", place + 1)[place])

    return time_of


class SampleLines(NamedTuple):
    """The lines of a dataset, in order.

    A line stays text: a run may have a million of them, of which the tests need one column or a few rows each.

    Attributes:
        heading: The first line of the dataset; empty where there is no sample.
        lines: The sample lines, without their ends.
        times: Their times, in seconds since the run began.
    """

    heading: str
    lines: Sequence[str]
    times: Sequence[float]

    @classmethod
    def read(cls, files: Iterable[IO[bytes]]) -> SampleLines:
        """Read the files of a dataset, oldest first; a torn last line is left out.

        Raises:
            ValueError: A line has no time.
        """
        texts = (file.read().decode(errors="replace") for file in files)
        lines = [line for text in texts for line in text.split("\n")[:-1]]
        if not lines:
            return cls("", (), ())
        heading = lines[0]
        samples = [line for line in lines if line != heading]  # each file has a heading
        return cls(heading, samples, list(map(time_reader(heading), samples)))

    def has_sample(self, began: float, ended: float) -> bool:
        """Tell whether there is a sample from one time to another."""
        at = bisect_left(self.times, began)
        return at < len(self.times) and self.times[at] <= ended

    def peak(self, column: str, began: float, ended: float) -> str:
        """Return the highest value of a column from one time to another, as it is written; empty where none is."""
        inside = self.lines[bisect_left(self.times, began) : bisect_right(self.times, ended)]
        names = self.heading.split(",")
        if not inside or column not in names:
            return ""
        place = names.index(column)
        return max((cell for line in inside if (cell := line.split(",")[place])), key=float, default="")


def count_rows(files: Iterable[IO[bytes]]) -> int:
    """Return the number of whole rows in the files of a table, their headings not counted."""
    return sum(max(0, file.read().count(b"\n") - 1) for file in files)


def last_row(path: Path) -> dict[str, str]:
    """Return the last whole row of a CSV file, by column; empty where there is none.

    Of a long file only the end is read, unless it is compressed.

    Raises:
        OSError: The file cannot be read.
        EOFError: The file is compressed and torn.
        ValueError: The file is not CSV.
    """
    with open_segment(path) as file:
        heading = last = file.readline()
        if not path.name.endswith(GZIP):
            file.seek(max(len(heading), file.seek(0, os.SEEK_END) - LONGEST_ROW))
        for line in file:
            last = line if line.endswith(b"\n") else last
    found = records((heading + last).decode(errors="replace")) if last is not heading else []
    return found[0] if found else {}
