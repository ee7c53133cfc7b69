"""Read a schedule from its file."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_twin.loads.schedule.parser import MOST_PROBLEMS, read
from pytest_twin.loads.schedule.schedule import Schedule, ScheduleError
from pytest_twin.loads.spec import LoadError
from pytest_twin.loads.validation import check
from pytest_twin.model.csv_text import visible

if TYPE_CHECKING:
    from pytest_twin.loads.spec import Kinds


LARGEST_FILE = 64 << 20


def open_schedule(path: Path, kinds: Kinds, texts: dict[str, str] | None = None) -> Schedule:
    """Read a schedule from a file; recordings that it replays are looked for beside it.

    Args:
        path: The file.
        kinds: The stressors there are.
        texts: What is in here by its name is not read again, and what is read is put here: so that a schedule can be
            read where its files are not.

    Raises:
        ScheduleError: The file cannot be read, or with all that is wrong in it.
    """
    known: dict[str, str] = {} if texts is None else texts

    def text_of(name: str) -> str:
        if name not in known:
            known[name] = _text(path.parent / name)
        return known[name]

    try:
        text = text_of(path.name)
    except (OSError, ValueError) as error:
        raise ScheduleError([visible(f"{path}: {getattr(error, 'strerror', None) or error}")]) from None
    schedule = read(text, path.name, kinds, text_of)
    wrong: dict[str, None] = {}
    fit: set[int] = set()  # loads, which many events may share
    for event in schedule.events:
        try:
            if id(event.load) not in fit:
                check(event.load)
                fit.add(id(event.load))
        except LoadError as error:
            wrong.update((f"{path.name}: event {event.id}: {key}: {problem}", None) for key, problem in error.problems)
    if wrong:
        raise ScheduleError([visible(line) for line in wrong][:MOST_PROBLEMS])
    return replace(schedule, name=visible(path.name).replace(" ", "_"))


def _text(path: Path) -> str:
    """The text of a file of the user's.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no text, or too large to be what it should be.
    """
    with open(path, "rb", opener=_without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):  # a pipe or a device might never end
            raise ValueError("is no file; give the path of a file")
        content = file.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise ValueError(f"is larger than {LARGEST_FILE >> 20} MiB; give a shorter one")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text[:4]:  # as UTF-16 has between its letters
        raise ValueError("is not UTF-8 text; save it as UTF-8")
    return text.replace("\r\n", "\n")


def _without_waiting(name: str, flags: int) -> int:
    return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))
