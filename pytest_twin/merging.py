"""Several run folders as one: their events and tests in one table each, and a stream of samples for each host."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from pytest_twin.analysis.together import Axis, first_epoch, names_of, placed
from pytest_twin.model.table import Found, found_in
from pytest_twin.model.table import rows as cells_of
from pytest_twin.pieces import PARQUET, opened
from pytest_twin.private import Folder
from pytest_twin.run_folder import (
    ANNOTATIONS,
    DATASET,
    FINGERPRINT,
    HEADERS,
    HOSTS,
    TESTS,
    RunFolder,
    RunFolderError,
    table,
)

if TYPE_CHECKING:
    from pytest_twin.analysis.together import Row

HOST = "host"
MERGED = (ANNOTATIONS, TESTS)  # a profile is of one machine, and stays where it is
TIMES = {DATASET: "timestamp", ANNOTATIONS: "timestamp", TESTS: "start"}


class Merged(NamedTuple):
    """What was taken over of one run.

    Attributes:
        name: What its host is called in the whole.
        samples: Rows of its datasets.
        events: Rows of its annotations.
        tests: Attempts of tests.
        lost: Lines that could not be read.
    """

    name: str
    samples: int
    events: int
    tests: int
    lost: int


class Source:
    """One of the runs, with all that is small of it."""

    def __init__(self, path: Path) -> None:
        """Read it.

        Raises:
            RunFolderError: There is no run, or it cannot be read.
        """
        self.folder = RunFolder(path)
        self.streams = [("", self.folder), *self.folder.other_hosts()]
        try:
            self.tables = {name: _table(self.folder, name) for name in MERGED}
            firsts = [_first(stream) for _, stream in self.streams]
        except OSError as error:
            raise RunFolderError(f"{error.filename or path}: {error.strerror or error}") from None
        if not any([*firsts, *(table.columns for table in self.tables.values())]):
            raise RunFolderError(f"{path} has no {DATASET}, {ANNOTATIONS} or {TESTS}; give the folder of a run")
        timed = [(TIMES[name], table.rows) for name, table in self.tables.items()]
        self.epoch = first_epoch([*timed, *((TIMES[DATASET], first) for first in firsts)])


def merge(paths: Sequence[Path], out: Path) -> list[Merged]:
    """Put runs together in a folder of its own; the runs stay as they are.

    Their seconds count from the beginning of the first, by the calendars of their hosts. The host of each is called
    after its folder; the ids of its events begin with that name.

    Raises:
        RunFolderError: One of them cannot be read, or the folder cannot be written.
    """
    sources = [Source(path) for path in paths]
    folder = RunFolder(out)
    for source in sources:
        if folder.path == source.folder.path or folder.path in source.folder.path.parents:
            raise RunFolderError(f"{out} has a run that is to be merged; give another directory")
    zero = min((source.epoch for source in sources if source.epoch is not None), default=0.0)
    names = names_of([source.folder.path for source in sources])
    folder.make()
    try:
        folder.forget()
        folder.mark()
        return _written(folder, dict(zip(names, sources, strict=True)), zero)
    finally:
        folder.release()


def _written(folder: RunFolder, sources: dict[str, Source], zero: float) -> list[Merged]:
    tables: dict[str, list[Row]] = {name: [] for name in MERGED}
    merged, hosts = [], {}
    for name, source in sources.items():
        axis = Axis(zero)
        counts = {}
        lost = sum(table.damaged for table in source.tables.values())
        for kind, found in source.tables.items():
            good, without_time = placed(found.rows, TIMES[kind], axis, name, {"": name})
            tables[kind] += good
            counts[kind] = len(good)
            lost += without_time
        samples = 0
        for host, stream in source.streams:
            called = f"{name}-{host}" if host else name
            copied, damaged = _copy(stream, folder.of_host(called), called, axis)
            samples, lost = samples + copied, lost + damaged
            hosts[called] = {"run": str(source.folder.path), "fingerprint": stream.document(FINGERPRINT)}
        merged.append(Merged(name, samples, counts[ANNOTATIONS], counts[TESTS], lost))
    for kind, rows in tables.items():
        rows.sort(key=lambda row: float(row["elapsed_s"]))
        folder.write(kind, table(HEADERS[kind], rows))
    folder.write_json(HOSTS, hosts)
    return merged


def _table(folder: RunFolder, name: str) -> Found:
    """What a run has of a table, also what workers wrote and nobody has merged."""
    read = [
        _read(path.read_text(encoding="utf-8", errors="replace"))
        for path in (folder / name, *folder.parts(name))
        if path.exists()
    ]
    rows = [row for found in read for row in found.rows]
    return Found(next((found.columns for found in read), ()), rows, sum(found.damaged for found in read))


def _read(text: str) -> Found:
    try:
        return found_in(text)
    except ValueError:
        return Found(damaged=1)


def _first(stream: RunFolder) -> list[Row]:
    """The first sample of a stream; none where there is no sample."""
    for file in _files(stream):
        found = _read((file.readline() + file.readline()).decode(errors="replace"))
        if found.rows:
            return list(found.rows)
    return []


def _copy(stream: RunFolder, target: RunFolder, host: str, axis: Axis) -> tuple[int, int]:
    """Copy samples with their host; comes back with how many, and how many could not be read."""
    copied = lost = 0
    samples = _samples(stream, axis)
    columns = next(samples, [])
    if columns:
        target.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        with Folder(target.path) as folder, TextIOWrapper(folder.create(DATASET), "utf-8", newline="") as file:
            lines = csv.writer(file, lineterminator="\n")
            lines.writerow([*columns, HOST])
            for sample in samples:
                if sample:
                    lines.writerow([*sample, host])
                copied, lost = copied + bool(sample), lost + (not sample)
    return copied, lost


def _samples(stream: RunFolder, axis: Axis) -> Iterator[list[str]]:
    """The columns of a stream but its host, then each sample as it stands in the whole; an empty one is damaged."""
    columns: list[str] = []
    for file in _files(stream):
        for line in file:
            cells = _cells(line.decode(errors="replace"))
            if not columns:
                columns = cells
                yield [name for name in columns if name != HOST]
            elif cells != columns:  # each piece has its heading
                yield _moved(dict(zip(columns, cells, strict=False)), len(columns), axis)


def _moved(sample: Row, cells: int, axis: Axis) -> list[str]:
    if len(sample) < cells:
        return []
    try:
        sample["elapsed_s"] = axis.elapsed(sample[TIMES[DATASET]], sample["elapsed_s"])
    except (KeyError, ValueError):
        return []
    sample.pop(HOST, None)
    return list(sample.values())


def _cells(line: str) -> list[str]:
    """The cells of a line; none of one that was cut off."""
    try:
        return next(iter(cells_of(line)), []) if line.endswith("\n") else []
    except ValueError:
        return []


def _files(stream: RunFolder) -> Iterator[IO[bytes]]:
    """The files of a dataset, oldest first.

    Raises:
        RunFolderError: One of them is no CSV.
    """
    if not stream.path.is_dir():
        return
    for piece in opened(stream / DATASET):
        if piece.path.suffix == PARQUET:
            raise RunFolderError(f"{piece.path} is no CSV; merge runs first, and convert what comes of it")
        yield piece.file
