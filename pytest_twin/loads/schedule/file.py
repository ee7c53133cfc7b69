"""Read a schedule from its file."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_twin.loads.schedule.parser import MAX_PROBLEMS, parse_schedule
from pytest_twin.loads.schedule.schedule import Schedule, ScheduleError
from pytest_twin.loads.spec import LoadError
from pytest_twin.loads.validation import check_load
from pytest_twin.model.csv_text import visible

if TYPE_CHECKING:
    from pytest_twin.loads.spec import Kinds


LARGEST_FILE = 64 << 20
LARGEST_RECORDING = 512 << 20


def open_schedule(path: Path, kinds: Kinds, texts: dict[str, str] | None = None) -> Schedule:
    """Read a schedule from a file, and the recordings that it replays from the same folder.

    Args:
        path: The file.
        kinds: The installed kinds of load.
        texts: The texts of files by name. A file in it is not read again, and each file read is added, so that a
            schedule can be read on a host that does not have its files.

    Raises:
        ScheduleError: The file cannot be read, or the schedule is invalid; with all problems.
    """
    known: dict[str, str] = {} if texts is None else texts

    def text_of(name: str) -> str:
        if name not in known:
            known[name] = _text(path.parent / name, LARGEST_FILE if name == path.name else LARGEST_RECORDING)
        return known[name]

    try:
        text = text_of(path.name)
    except (OSError, ValueError) as error:
        raise ScheduleError([visible(f"{path}: {getattr(error, 'strerror', None) or error}")]) from None
    schedule = parse_schedule(text, path.name, kinds, text_of)
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
    with open(path, "rb", opener=_open_nonblocking) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):  # a pipe or a device may never end
            raise ValueError("is not a file; give the path of a file")
        content = file.read(largest + 1)
    if len(content) > largest:
        raise ValueError(f"is larger than {largest >> 20} MiB; give a smaller file")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text[:4]:  # as UTF-16 has between its letters
        raise ValueError("is not UTF-8 text; save it as UTF-8")
    return text.replace("\r\n", "\n")


def _open_nonblocking(name: str, flags: int) -> int:
    return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))
