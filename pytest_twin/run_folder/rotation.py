"""The files of a long dataset: numbered segments, the file that is being written, and converted ones.

``x.0001.csv`` comes before ``x.0002.csv``, and ``x.csv`` is the last. Each may be ``.csv.gz`` instead, and
``x.parquet`` holds all rows that existed when it was made.
"""

from __future__ import annotations

import errno
import math
import stat
from collections.abc import Iterator
from contextlib import nullcontext
from io import BufferedReader, FileIO
from pathlib import Path
from typing import IO, cast

from pytest_twin._system.append_file import next_number, piece_number, piece_path
from pytest_twin._system.private_files import TEMPORARY
from pytest_twin._system.stdlib import os

FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
CSV, GZIP, PARQUET = ".csv", ".csv.gz", ".parquet"


class Segment:
    """One file of a dataset, open for reading, and decompressed."""

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        self.path, self.file = path, file


def all_files(dataset: Path) -> list[Path]:
    """Return all files of a dataset in the order of their rows, including the rest of a conversion that was killed."""
    found = []
    for name in os.listdir(dataset.parent) if dataset.parent.is_dir() else ():
        number = piece_number(name, str(dataset))
        kind = name.removeprefix(dataset.stem)
        kind = f".{kind[1:].partition('.')[2]}" if number else kind
        if name.startswith(dataset.stem) and kind.removesuffix(TEMPORARY) in {CSV, GZIP, PARQUET}:
            found.append((number or math.inf, name))
    return [dataset.with_name(name) for _, name in sorted(found)]


def segments(dataset: Path) -> list[Path]:
    """Return the files that together are the dataset, oldest first; each row is in exactly one of them.

    A killed conversion can leave both forms of a file: the converted file is complete, so its source is left out.
    """
    found = [path for path in all_files(dataset) if path.suffix != TEMPORARY]
    whole = dataset.with_suffix(PARQUET)
    if whole in found:
        return [whole]
    return [path for path in found if path.suffix != CSV or path.with_suffix(GZIP) not in found]


def open_segments(dataset: Path) -> Iterator[Segment]:
    """Open the segments one after another, without losing a row while a sampler begins new segments."""
    # the one that is written to is opened before the others are looked for: whatever was written before is in them
    with open_file(dataset) if dataset.exists() else nullcontext() as last:
        for path in segments(dataset):
            if path == dataset or (last and os.path.samestat(path.stat(), os.fstat(last.fileno()))):
                yield from [Segment(path, last)] if last else ()
                return
            with open_segment(path) as file:
                yield Segment(path, file)


def open_segment(path: Path) -> IO[bytes]:
    """Open a file for reading bytes, decompressed."""
    if path.suffix != ".gz":
        return open_file(path)
    import gzip  # which most runs do without

    return cast("IO[bytes]", gzip.open(path))


def open_file(path: Path) -> IO[bytes]:
    """Open a regular file for reading bytes.

    Raises:
        OSError: The file cannot be opened, or is a pipe or a device, which might never end.
    """
    fd = os.open(path, FLAGS)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "is not a file; give the path of a file", str(path))
    return BufferedReader(FileIO(fd))  # and not `open`, which tests replace


def prepare_append(dataset: Path) -> None:
    """Prepare a converted dataset for a recording that is appended: the converted file becomes a numbered segment.

    Raises:
        OSError: A file cannot be renamed or removed.
    """
    kept = segments(dataset)
    for path in all_files(dataset):
        if path not in kept:
            path.unlink()
    if kept and kept[-1].name in {dataset.stem + kind for kind in (GZIP, PARQUET)}:
        kind = kept[-1].name.removeprefix(dataset.stem)
        os.rename(kept[-1], piece_path(str(dataset), next_number(str(dataset)), kind))
