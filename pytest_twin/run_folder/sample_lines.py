"""The lines of a dataset as text, with their times."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import IO, NamedTuple

from pytest_twin.run_folder.csv_rows import ELAPSED


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
