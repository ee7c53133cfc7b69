"""Read a recording of a machine from a file of any tool, or from a run folder."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from pytest_twin.loads.schedule.window import Window, cut_recording
from pytest_twin.model.csv_text import visible
from pytest_twin.model.machine_formats.column_meaning import EXACT
from pytest_twin.model.machine_formats.parser import RecordingError, parse_blocks, whole_lines
from pytest_twin.model.machine_formats.timed_table import TOTAL_MEMORY, Blocks
from pytest_twin.model.machine_recording import MachineRecording
from pytest_twin.run_folder.csv_frames import LONGEST_HEADER, ReadingError
from pytest_twin.run_folder.frames import load_samples
from pytest_twin.run_folder.layout import DATASET
from pytest_twin.run_folder.rotation import PARQUET, open_segment, segments

if TYPE_CHECKING:
    import pandas as pd


def read_recording(path: str | os.PathLike[str], *, interval_s: float = 1.0) -> MachineRecording:
    """Read a recording; as `pytest_twin.read_recording`."""
    path = Path(path)
    try:
        return parse_blocks(recording_blocks(path), interval_s)
    except RecordingError as error:
        raise ReadingError(f"{visible(str(path))}: {visible('; '.join(error.problems))}") from None
    except OSError as error:
        raise ReadingError(f"{visible(str(path))}: {visible(error.strerror or str(error))}") from None


def read_part(path: Path, window: Window) -> MachineRecording:
    """Read a part of a recording.

    Raises:
        ReadingError: It cannot be read, or has no such part.
    """
    try:
        return cut_recording(read_recording(path), window, "used")
    except RecordingError as error:
        raise ReadingError(f"{visible(str(path))}: {visible('; '.join(error.problems))}") from None


def recording_blocks(path: Path) -> Blocks:
    """Return what yields the lines of a recording.

    Args:
        path: A run folder, or a file.

    Raises:
        RecordingError: It is a folder without a recording.
        OSError: It cannot be read.
    """
    files = segments(path / DATASET) if path.is_dir() else [path]
    if not files:
        raise RecordingError([f"has no {DATASET}; give a run folder, or a file"])
    if len({_heading(each) for each in files}) > 1 or files[0].suffix == PARQUET:
        return blocks_of_rows(load_samples(path / DATASET if path.is_dir() else path))
    return _blocks(files)


def blocks_of_rows(samples: pd.DataFrame) -> Blocks:
    """Return what yields the rows of a dataset as lines, with the columns that show the machine."""
    frame = samples.reset_index()
    wanted = {*EXACT, "timestamp", "elapsed_s", TOTAL_MEMORY}
    content = frame[[name for name in frame if str(name).casefold() in wanted]].to_csv(index=False).encode()
    return lambda: [content]


def _blocks(files: list[Path]) -> Blocks:
    """Return what yields the lines of files, one after another."""

    def read() -> Iterable[bytes]:
        for number, path in enumerate(files):
            lines = _lines(path)
            if number:
                yield _without_heading(next(iter(lines), b""))
            yield from lines

    return read


def _heading(path: Path) -> bytes:
    if path.suffix == PARQUET:
        return b""
    with _opened(path) as file:
        return file.readline(LONGEST_HEADER).rstrip(b"\r\n")


def _lines(path: Path) -> Iterable[bytes]:
    with _opened(path) as file:
        yield from whole_lines(file)


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a file; raises `RecordingError` if it turns out to be a part of a compressed one."""
    try:
        with open_segment(path) as file:
            yield file
    except (EOFError, zlib.error):
        raise RecordingError(["is not a whole gzip file; it was cut off or damaged"]) from None


def _without_heading(block: bytes) -> bytes:
    return block.partition(b"\n")[2]
