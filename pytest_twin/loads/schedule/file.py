"""Read a schedule from its file."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_twin.loads.schedule.parser import MAX_PROBLEMS, parse_schedule
from pytest_twin.loads.schedule.schedule import Schedule, ScheduleError
from pytest_twin.loads.spec import LoadError
from pytest_twin.loads.validation import check_load
from pytest_twin.model.csv_text import visible
from pytest_twin.model.machine_formats.parser import parse_blocks, parse_text, whole_lines

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from pytest_twin.loads.spec import Kinds
    from pytest_twin.model.machine_recording import MachineRecording


LARGEST_FILE = 64 << 20
LARGEST_RECORDING = 512 << 20


def open_schedule(path: Path, kinds: Kinds, texts: dict[str, str] | None = None) -> Schedule:
    """Read a schedule from a file, and the recordings that it replays from the same folder.

    Args:
        path: The file.
        kinds: The installed kinds of load.
        texts: The texts of files by name. A file in it is not read again, and each file read is added, so that a
            schedule can be read on a host that does not have its files. Without it, no text is kept.

    Raises:
        ScheduleError: The file cannot be read, or the schedule is invalid; with all problems.
    """
    known: dict[str, str] = {} if texts is None else texts

    def text_of(name: str, largest: int) -> str:
        if name not in known:
            known[name] = _text(path.parent / name, largest)
        return known[name]

    def recording_of(name: str) -> MachineRecording:
        if texts is None:
            return parse_blocks(partial(_blocks, path.parent / name))
        return parse_text(text_of(name, LARGEST_RECORDING))

    try:
        text = text_of(path.name, LARGEST_FILE)
    except (OSError, ValueError) as error:
        raise ScheduleError([visible(f"{path}: {getattr(error, 'strerror', None) or error}")]) from None
    schedule = parse_schedule(text, path.name, kinds, recording_of)
    problems: dict[str, None] = {}
    checked: set[int] = set()  # ids of loads, which many events may share
    for event in schedule.events:
        try:
            if id(event.load) not in checked:
                check_load(event.load)
                checked.add(id(event.load))
        except LoadError as error:
            problems.update(
                (f"{path.name}: event {event.id}: {key}: {problem}", None) for key, problem in error.problems
            )
    if problems:
        raise ScheduleError([visible(line) for line in problems][:MAX_PROBLEMS])
    return replace(schedule, name=visible(path.name).replace(" ", "_"))


def _text(path: Path, largest: int) -> str:
    """Return the text of a file.

    Raises:
        OSError: It cannot be read.
        ValueError: It is not a regular file, not UTF-8, or too large.
    """
    with _opened(path) as file:
        content = file.read(largest + 1)
    if len(content) > largest:
        raise ValueError(_too_large(largest))
    return _decoded(content).replace("\r\n", "\n")


def _blocks(path: Path) -> Iterator[bytes]:
    """Yield the lines of a recording in blocks, so that a long one is never in memory as a whole; raises as `_text`."""
    left = LARGEST_RECORDING
    with _opened(path) as file:
        for block in whole_lines(file):
            left -= len(block)
            if left < 0:
                raise ValueError(_too_large(LARGEST_RECORDING))
            _decoded(block)
            yield block


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file for reading."""
    with open(path, "rb", opener=_open_nonblocking) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):  # a pipe or a device may never end
            raise ValueError("is not a file; give the path of a file")
        yield file


def _decoded(content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text[:4]:  # as UTF-16 has between its letters
        raise ValueError("is not UTF-8 text; save it as UTF-8")
    return text


def _too_large(largest: int) -> str:
    return f"is larger than {largest >> 20} MiB; give a smaller file"


def _open_nonblocking(name: str, flags: int) -> int:
    return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))
