"""Read a recorded run as pandas frames.

Files of a killed run, files of the old script collection, and files with damaged rows are read as far as possible.
Numbers are float64, counts Int64, text is text, and missing values are missing. The index is the time in UTC; a time
without a zone, as in the old files, is taken as UTC.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from pytest_twin.loads.registry import keyword_of_type
from pytest_twin.model import attempt_row, columns, event
from pytest_twin.model.columns import WINDOWS, Column
from pytest_twin.model.csv_text import rows
from pytest_twin.model.overlap import Execution, add_overlapping_loads, applied_loads
from pytest_twin.model.run import Run
from pytest_twin.run_folder import legacy_events
from pytest_twin.run_folder.csv_frames import (
    ParsedLines,
    ReadingError,
    TableShape,
    frame_of_cells,
    join_tables,
    parse_lines,
    read_blocks,
    read_heading,
    set_types,
)
from pytest_twin.run_folder.excerpt import window_of
from pytest_twin.run_folder.folder import RunFolder
from pytest_twin.run_folder.layout import ANNOTATIONS, DATASET, FINGERPRINT, HOSTS, SCHEDULE, TESTS
from pytest_twin.run_folder.load_amounts import add_amounts
from pytest_twin.run_folder.problems import fingerprint_problems, table_problems, zone_problems
from pytest_twin.run_folder.rotation import PARQUET, Segment, open_file, open_segment, open_segments, segments
from pytest_twin.telemetry import probes

if TYPE_CHECKING:
    import pandas as pd

EVENTS_SHAPE = TableShape("timestamp", event.COLUMNS)
TESTS_SHAPE = TableShape("start", attempt_row.COLUMNS)
HOST = next(column for column in event.COLUMNS if column.name == event.HOST)


@cache
def samples_shape() -> TableShape:
    """Return the declared columns of a dataset: those of our probes, and of installed probes of other packages."""
    declared = (columns.TIMESTAMP, columns.ELAPSED, *probes.known_columns())
    return TableShape("timestamp", (*(declared[at] for at in columns.order(declared)), HOST))


def load(path: str | os.PathLike[str]) -> Run:
    """Read a run folder, the folder of a test, or one file.

    Raises:
        ReadingError: There is nothing that can be read.
    """
    path = Path(path)
    if path.is_dir():
        return _load_folder(RunFolder(path))
    return _load_file(path)


def load_samples(dataset: Path) -> pd.DataFrame:
    """Return the rows of a dataset, from all of its files.

    Raises:
        ReadingError: A file cannot be read.
    """
    shape = samples_shape()
    return concatenate(read_segments(open_segments(dataset), shape), shape)


def parse_samples(heading: str, lines: Iterable[str]) -> pd.DataFrame:
    """Parse rows of a dataset with this first line."""
    shape = samples_shape()
    block = parse_lines("".join(f"{line}\n" for line in lines).encode(), heading.split(","), shape)
    return concatenate([block], shape)


def _load_samples_of_hosts(datasets: Sequence[Path]) -> pd.DataFrame:
    """Return the rows of all hosts of a run in time order; a column names the hosts other than pytest's own."""
    if len(datasets) == 1:
        return load_samples(datasets[0])
    shape = samples_shape()
    frame = concatenate(
        [block for dataset in datasets for block in read_segments(open_segments(dataset), shape)], shape
    )
    return frame if frame.index.is_monotonic_increasing else frame.sort_index(kind="stable")


def load_events(folder: RunFolder, worker: str = "*") -> pd.DataFrame:
    """Return the events of a run, including unmerged ones of pytest-xdist workers; or only those of one worker.

    Raises:
        ReadingError: A file cannot be read.
    """
    if worker == "*":
        with _opened(folder / ANNOTATIONS) as file:
            return _table(folder, ANNOTATIONS, EVENTS_SHAPE, file)
    return _in_order(_read_files([folder.part(ANNOTATIONS, worker)], EVENTS_SHAPE), EVENTS_SHAPE)


def _load_folder(folder: RunFolder) -> Run:
    if folder.is_incomplete:
        from pytest_twin.run_folder.recovery import recover

        recover(folder)
    streams = [folder / DATASET, *(each / DATASET for _, each in folder.other_hosts())]
    there = [name for name in (DATASET, ANNOTATIONS, TESTS) if _exists(folder, name, streams)]
    if not there:
        raise ReadingError(f"{folder.path} has no {DATASET}, {ANNOTATIONS} or {TESTS}; give the folder of a run")
    fingerprint = folder.document(FINGERPRINT)
    problems = list(fingerprint_problems(folder / FINGERPRINT, fingerprint))
    if fingerprint:
        problems += [f"{folder / name} is missing" for name in (DATASET, ANNOTATIONS, TESTS) if name not in there]
    tables, failed = [], []
    for name, shape in ((DATASET, samples_shape()), (ANNOTATIONS, EVENTS_SHAPE), (TESTS, TESTS_SHAPE)):
        try:
            with _opened(folder / name) as file:
                frame = _load_samples_of_hosts(streams) if name == DATASET else _table(folder, name, shape, file)
                if file is not None:
                    problems += table_problems(folder / name, file, frame.attrs["damaged"])
        except (OSError, ReadingError) as error:  # the others can be read all the same
            message = f"{error.filename or folder.path}: {error.strerror}" if isinstance(error, OSError) else str(error)
            failed.append(message)
            if len(failed) == len(there):
                raise ReadingError(failed[0]) from None
            frame = concatenate([], shape)
        tables.append(frame)
    samples, events, tests = tables
    _add_loads(events, tests, folder.scheduled)
    schedule, unread = folder.document(SCHEDULE), (*problems, *failed)
    return Run(folder.path, samples, events, tests, fingerprint, schedule, unread, _hosts(folder), folder.outcomes)


def _add_loads(events: pd.DataFrame, tests: pd.DataFrame, scheduled: set[str]) -> None:
    """Add to each test the loads that others applied while it ran, which a killed run did not write down."""
    import pandas as pd

    names = ["event", "id", "type", "test", "worker", "target", "elapsed_s"]
    if not len(tests) or not {"nodeid", "load", "elapsed_s", "duration_s"} <= {*tests} or not {*names} <= {*events}:
        return
    names += [HOST.name] if HOST.name in events else []
    of_loads = events[events["target"].notna() & events["elapsed_s"].notna()]
    cells = zip(*(_texts(of_loads, name) for name in names), strict=True)
    loads = applied_loads([dict(zip(names, row, strict=True)) for row in cells], keyword_of_type(), scheduled)
    if not loads:
        return
    began = tests["elapsed_s"]
    times = (times.fillna(-1.0) for times in (began, began + tests["duration_s"]))
    texts = (_texts(tests, name) for name in ("nodeid", HOST.name, "load"))
    known = [
        Execution(nodeid, host, start, end, load) for nodeid, host, load, start, end in zip(*texts, *times, strict=True)
    ]
    column = [load or None for load in add_overlapping_loads(known, loads)]
    tests["load"] = pd.Series(column, index=tests.index, dtype=tests["load"].dtype)


def _texts(frame: pd.DataFrame, name: str) -> list[str]:
    if name not in frame:
        return [""] * len(frame)
    column = frame[name]  # not by `fillna`: pandas 2 warns of what becomes of numbers then
    return ["" if is_missing else str(cell) for cell, is_missing in zip(column, column.isna(), strict=True)]


def _hosts(folder: RunFolder) -> dict[str, dict[str, Any]]:
    """Return what is known of the other hosts: from hosts.json, or for a killed run from their folders."""
    found = {name: each for name, each in (folder.document(HOSTS) or {}).items() if isinstance(each, dict)}
    for name, own in folder.other_hosts():
        found.setdefault(name, {"fingerprint": own.document(FINGERPRINT)})
    return found


def _exists(folder: RunFolder, name: str, streams: Iterable[Path]) -> bool:
    if name == DATASET:
        return any(map(segments, streams))
    return (folder / name).exists() or bool(folder.parts(name))


def _load_file(path: Path) -> Run:
    """Read one file; its columns tell which table it is."""
    names: list[str] = []
    problems: list[str] = []
    with _as_reading_error(path), open_segment(path) as file:
        if path.suffix != PARQUET:
            names, _ = read_heading(file)
            problems += zone_problems(path, file)
    which = TESTS_SHAPE if "nodeid" in names else EVENTS_SHAPE if "event" in names else samples_shape()
    with open_segment(path) as file:
        frame = concatenate(read_segments([Segment(path, file)], which), which)
    samples, events, tests = (
        frame if shape == which else concatenate([], shape) for shape in (samples_shape(), EVENTS_SHAPE, TESTS_SHAPE)
    )
    return Run(path, samples, events, tests, problems=tuple(problems))


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes] | None]:
    """Open a file; None where there is no file."""
    try:
        file = open_file(path)
    except FileNotFoundError:
        yield None
        return
    with file:
        yield file


def _table(folder: RunFolder, name: str, shape: TableShape, file: IO[bytes] | None) -> pd.DataFrame:
    """Return the rows of a table, of which this is the open file, and of the parts that nobody has merged."""
    own = [] if file is None else list(read_segments([Segment(folder / name, file)], shape))
    return _in_order([*own, *_read_files(folder.parts(name), shape)], shape)


def _read_files(paths: Iterable[Path], shape: TableShape) -> list[ParsedLines]:
    read: list[ParsedLines] = []
    for path in paths:
        with _opened(path) as file:
            read += [] if file is None else read_segments([Segment(path, file)], shape)
    return read


def _in_order(read: Iterable[ParsedLines], shape: TableShape) -> pd.DataFrame:
    frame = concatenate(read, shape)
    return frame if frame.index.is_monotonic_increasing else frame.sort_index(kind="stable")


def read_segments(found: Iterable[Segment], shape: TableShape) -> Iterator[ParsedLines]:
    """Yield the rows of files, several thousand at a time.

    Raises:
        ReadingError: A file is not a file of a run.
    """
    for piece in found:
        with _as_reading_error(piece.path):
            yield from _read_segment(piece, shape)


@contextmanager
def _as_reading_error(path: Path) -> Iterator[None]:
    """Turn each error that keeps a file from being read into a `ReadingError` that names the file."""
    try:
        yield
    except (OSError, EOFError, zlib.error, ReadingError) as error:
        raise ReadingError(f"{path}: {getattr(error, 'strerror', None) or error}") from None


def concatenate(read: Iterable[ParsedLines], shape: TableShape) -> pd.DataFrame:
    """Return one frame of all lines, with the units and meanings of its columns in its ``attrs``.

    Samples also have there the windows of their columns, events have the columns of `load_amounts`.
    """
    import pandas as pd

    found = [set_types(each, shape) for each in join_tables(read)]
    found = found or [set_types(_no_lines(shape, [column.name for column in shape.columns]), shape)]
    frames = [block.frame for block in found if len(block.frame)] or [found[0].frame]
    frame = pd.concat(frames) if len(frames) > 1 else frames[0]
    known = {column.name: column for column in shape.columns if column.name in frame}
    for name in frame.columns.difference(list(known)):
        frame[name] = _infer_numbers(frame[name])
    frame.attrs = column_attrs(known.values()) | {"damaged": sum(block.damaged for block in found)}
    if shape is EVENTS_SHAPE:
        return add_amounts(frame)
    if shape is not TESTS_SHAPE:
        of_columns = {str(name): window_of(str(name)) for name in frame}
        frame.attrs[WINDOWS] = {name: window_s for name, window_s in of_columns.items() if window_s is not None}
    return frame


def column_attrs(known: Iterable[Column]) -> dict[Hashable | None, Any]:
    """Return the units and meanings of columns, as they are stored in ``attrs``."""
    known = list(known)
    return {
        "units": {column.name: column.unit for column in known},
        "meanings": {column.name: column.meaning for column in known},
    }


def _read_segment(piece: Segment, shape: TableShape) -> Iterator[ParsedLines]:
    if piece.path.suffix == PARQUET:
        yield from _read_parquet(piece, shape)
        return
    names, is_whole = read_heading(piece.file)
    if not is_whole:  # the run died, and left the beginning of it or nothing
        declared = [column.name for column in shape.columns]
        if names and not declared[0].startswith(names[0]):
            raise ReadingError("is not CSV")
        names = declared
    if shape.time not in names or len(set(names)) < len(names):
        raise ReadingError(f"has no column {shape.time}" if shape.time not in names else "has a duplicate column")
    if shape is EVENTS_SHAPE and tuple(names) == legacy_events.HEADER:
        yield _read_legacy(b"".join(read_blocks(piece.file)))
        return
    read = (parse_lines(lines, names, shape) for lines in read_blocks(piece.file))
    yield next(read, None) or _no_lines(shape, names)
    yield from read


def _no_lines(shape: TableShape, names: Sequence[str]) -> ParsedLines:
    return frame_of_cells([], names, shape.numbers().intersection(names), 0)


def _read_legacy(text: bytes) -> ParsedLines:
    found, damaged = legacy_events.convert_rows(rows(text.decode(errors="replace")))
    cells = [[row.get(name, "") for name in event.FIELDS] for row in found]
    frame, _ = frame_of_cells(cells, event.FIELDS, EVENTS_SHAPE.numbers(), len(cells))
    return ParsedLines(frame, damaged)


def _read_parquet(piece: Segment, shape: TableShape) -> Iterator[ParsedLines]:
    try:
        from pyarrow import ArrowInvalid, parquet
    except ImportError:
        raise ReadingError("needs pyarrow; pip install 'pytest-twin[parquet]'") from None
    try:
        for batch in parquet.ParquetFile(piece.file).iter_batches():
            frame = batch.to_pandas().reset_index()
            if shape.time not in frame:
                raise ReadingError(f"has no column {shape.time}")
            yield ParsedLines(frame)
    except ArrowInvalid as error:
        raise ReadingError(f"is not Parquet: {error}") from None


def _infer_numbers(cells: pd.Series[Any]) -> pd.Series[Any]:
    """Convert an undeclared column to numbers if all of its cells are numbers."""
    import pandas as pd

    try:
        return pd.to_numeric(cells).astype(float)
    except ValueError:
        return cells
