"""Read the rows that are appended to the files of a run, in all of its parts and on all of its hosts."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from pytest_twin.run_folder.folder import RunFolder
from pytest_twin.run_folder.follow import CsvFollower
from pytest_twin.run_folder.layout import ANNOTATIONS, DATASET, TESTS

Row = dict[str, str]


class NewRows(NamedTuple):
    """The rows that were appended since the last call.

    Attributes:
        samples: Rows of the dataset, each with its host; empty is the host of pytest itself.
        events: Rows of annotations.csv.
        tests: Rows of tests.csv.
    """

    samples: list[tuple[str, Row]]
    events: list[Row]
    tests: list[Row]


class RunStream:
    """Follows the files of a run while they grow.

    A row may be read twice: at the end of a run with pytest-xdist the parts of the workers are merged into one file.
    """

    def __init__(self, folder: RunFolder) -> None:
        """Prepare to follow a folder, which need not exist yet."""
        self.folder = folder
        self._files: dict[Path, CsvFollower] = {}

    def read(self) -> NewRows:
        """Return the rows that were appended since the last call, each of them whole.

        Raises:
            OSError: A file exists and cannot be read.
            ValueError: A file is not CSV.
        """
        hosts = [("", self.folder), *self.folder.other_hosts()]
        samples = [(name, row) for name, folder in hosts for row in self._rows(folder / DATASET)]
        return NewRows(samples, self._rows_of_parts(ANNOTATIONS), self._rows_of_parts(TESTS))

    def close(self) -> None:
        """Close the files."""
        for each in self._files.values():
            each.close()

    def _rows_of_parts(self, name: str) -> list[Row]:
        return [row for path in (self.folder / name, *self.folder.parts(name)) for row in self._rows(path)]

    def _rows(self, path: Path) -> list[Row]:
        follower = self._files.get(path)
        if follower is None:
            follower = self._files[path] = CsvFollower(path)
        return list(follower.rows())
