"""Convert a recorded dataset to gzip or Parquet: completely or not at all, in constant memory."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from pytest_twin._system.private_files import TEMPORARY, PrivateDirectory
from pytest_twin.run_folder.csv_frames import ReadingError, set_types
from pytest_twin.run_folder.frames import column_attrs, read_segments, samples_shape
from pytest_twin.run_folder.rotation import CSV, GZIP, PARQUET, all_files, open_segment, open_segments, segments

if TYPE_CHECKING:
    import pandas as pd


class ConversionError(OSError):
    """The dataset stays as it was recorded; the message is for the user."""


def to_gzip(dataset: Path) -> None:
    """Compress the CSV files of a dataset one after another, and remove each of them.

    Raises:
        ConversionError: A file could not be written; that file and those after it are kept.
    """
    for path in segments(dataset):
        if path.suffix == CSV:
            with (
                _new_file(path.with_suffix(GZIP)) as file,
                open_segment(path) as rows,
                gzip.open(file, "wb", 6) as packed,
            ):
                shutil.copyfileobj(rows, packed, 1 << 20)
            path.unlink()  # at once: its room may be needed for the next
    _remove_all_but(segments(dataset), dataset)


def to_parquet(dataset: Path) -> None:
    """Write all files of a dataset to one Parquet file, and remove them.

    `pandas.read_parquet` reads the units and meanings of the columns from its metadata into ``attrs``.

    Raises:
        ConversionError: It could not be written, or has rows that it could not hold; all files are kept.
    """
    from pyarrow import ArrowException, Table, parquet

    target = dataset.with_suffix(PARQUET)
    if segments(dataset) not in ([], [target]):
        empty = _empty(dataset)
        schema = parquet_schema(empty)
        try:
            with _new_file(target) as file, parquet.ParquetWriter(file, schema, compression="zstd") as writer:
                for frame in _read_undamaged(dataset):
                    rows = frame.reindex(columns=empty.columns)
                    writer.write_table(Table.from_pandas(rows, schema=schema, preserve_index=True))
        except (ReadingError, ArrowException) as error:
            raise ConversionError(f"{target} was not written; the CSV files are kept: {error}") from None
    _remove_all_but(segments(dataset), dataset)


def _read_undamaged(dataset: Path) -> Iterator[pd.DataFrame]:
    """Yield all rows; raise a ReadingError for damaged ones, which would be lost."""
    shape = samples_shape()
    for parsed in read_segments(open_segments(dataset), shape):
        frame, damaged = set_types(parsed, shape)
        if damaged:
            raise ReadingError("damaged rows would be lost")
        yield frame


def _empty(dataset: Path) -> pd.DataFrame:
    """Return a frame without rows, with the columns of all files."""
    import pandas as pd

    shape = samples_shape()
    firsts = [set_types(next(read_segments([piece], shape)), shape).frame.iloc[:0] for piece in open_segments(dataset)]
    frame = pd.concat(firsts)
    frame.attrs = column_attrs(column for column in shape.columns if column.name in frame)
    return frame


def parquet_schema(empty: pd.DataFrame) -> Any:
    """Return the Parquet schema of such rows; a column that is neither number nor time is text, even if it is empty."""
    import pyarrow as pa

    schema = pa.Schema.from_pandas(empty, preserve_index=True)
    for at, field in enumerate(schema):
        if field.name in empty and empty[field.name].dtype.kind not in "fi":
            schema = schema.set(at, field.with_type(pa.string()))
    return schema.with_metadata({**schema.metadata, b"PANDAS_ATTRS": json.dumps(empty.attrs).encode()})


@contextmanager
def _new_file(path: Path) -> Iterator[IO[bytes]]:
    """Create a file that appears at its path once it is complete and on the disk, or never."""
    temporary = path.name + TEMPORARY
    try:
        with PrivateDirectory(path.parent) as folder:
            try:
                with folder.create(temporary) as file:
                    yield file
                    file.flush()
                    os.fsync(file.fileno())
                folder.rename(temporary, path.name)
            finally:
                folder.remove(temporary)
    except OSError as error:
        raise ConversionError(f"{path} was not written; the CSV files are kept: {error.strerror or error}") from None


def _remove_all_but(kept: list[Path], dataset: Path) -> None:
    for path in all_files(dataset):
        if path not in kept:
            path.unlink()
