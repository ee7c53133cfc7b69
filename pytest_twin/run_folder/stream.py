"""Read the rows that are appended to the files of a run, in all of its parts and on all of its hosts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pytest_twin.run_folder.folder import RunFolder
from pytest_twin.run_folder.follow import CsvFollower
from pytest_twin.run_folder.layout import ANNOTATIONS, DATASET, TESTS

Row = dict[str, str]


class RunStream:
    """Follows the files of a run while they grow.

    A row may be read twice: at the end of a run with pytest-xdist the parts of the workers are merged into one file.
    """

    def __init__(self, folder: RunFolder) -> None:
        """Prepare to follow a folder, which need not exist yet."""
        self.folder = folder
        self._files: dict[Path, CsvFollower] = {}

    def samples(self) -> Iterator[tuple[str, Row]]:
        """Yield the rows that were appended to the dataset since the last call, each with its host.

        Raises:
            OSError: A file exists and cannot be read.
            ValueError: A file is not CSV.
        """
        for name, folder in self.hosts():
            for row in self.samples_of(folder):
                yield name, row

    def hosts(self) -> list[tuple[str, RunFolder]]:
        """Return the hosts of the run so far with their folders; that of pytest itself is empty, and the first."""
        return [("", self.folder), *self.folder.other_hosts()]

    def samples_of(self, folder: RunFolder) -> Iterator[Row]:
        """Yield the same rows of one host, one of `hosts`."""
        return self._rows(folder / DATASET)

    def events(self) -> Iterator[Row]:
        """Yield the rows that were appended to annotations.csv and its parts; errors as those of `samples`."""
        return self._rows_of_parts(ANNOTATIONS)

    def tests(self) -> Iterator[Row]:
        """Yield the rows that were appended to tests.csv and its parts; errors as those of `samples`."""
        return self._rows_of_parts(TESTS)

    def close(self) -> None:
        """Close the files."""
        for each in self._files.values():
            each.close()

    def _rows_of_parts(self, name: str) -> Iterator[Row]:
        for path in (self.folder / name, *self.folder.parts(name)):
            yield from self._rows(path)

    def _rows(self, path: Path) -> Iterator[Row]:
        follower = self._files.get(path)
        if follower is None:
            follower = self._files[path] = CsvFollower(path)
        return follower.rows()
