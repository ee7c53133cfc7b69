"""Read a schedule from its file, or a recording that is played as it is."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_twin.loads.schedule.parser import MAX_PROBLEMS, looks_like_schedule, parse_schedule
from pytest_twin.loads.schedule.replay import played_once
from pytest_twin.loads.schedule.schedule import Schedule, ScheduleError
from pytest_twin.loads.spec import LoadError
from pytest_twin.loads.validation import check_load
from pytest_twin.model.csv_text import visible
from pytest_twin.model.machine_formats.parser import parse_blocks, parse_text
from pytest_twin.model.machine_formats.recorded_series import NoTimesError, RecordingError
from pytest_twin.run_folder.machine_recordings import recording_blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import BinaryIO

    from pytest_twin.loads.spec import Kinds
    from pytest_twin.model.demand_change import DemandChange
    from pytest_twin.model.machine_recording import MachineRecording


LARGEST_FILE = 64 << 20
LARGEST_RECORDING = 512 << 20
HEAD = 1 << 16  # bytes of a file that tell whether it is a schedule
WINDOW_OF_SCHEDULE = "is a schedule; a window is written into its events, as from, to and busiest"
SCALE_OF_SCHEDULE = "is a schedule; a scale is written into its events"


def open_schedule(
    path: Path,
    kinds: Kinds,
    texts: dict[str, str] | None = None,
    window: Mapping[str, object] | None = None,
    changes: Sequence[DemandChange] = (),
) -> Schedule:
    """Read a schedule from a file, and the recordings that it replays from the same folder.

    Args:
        path: The file; or a recording, which is played once: a run folder, or a file that `read_recording` reads.
        kinds: The installed kinds of load.
        texts: The texts of files by name. A file in it is not read again, and each file read is added, so that a
            schedule can be read on a host that does not have its files. Without it, no text is kept.
        window: The part of a recording to play, as `parse_window` takes it.
        changes: Changes of its demand.

    Raises:
        ScheduleError: The file cannot be read, the schedule is invalid, or the recording has no such part; with all
            problems.
    """
    source = _Source(path.parent, texts)
    name = path.name or str(path)
    try:
        if is_schedule := source.is_schedule(name):
            schedule = parse_schedule(source.schedule(name), name, kinds, source.recording)
        else:
            schedule = played_once(source.recording(name), name, kinds, window or {}, changes)
    except ScheduleError:
        raise
    except NoTimesError as error:
        problem = f"is neither a schedule (JSON or TOML) nor a recording: {error}"
        raise ScheduleError([visible(f"{name}: {problem}")]) from None
    except RecordingError as error:
        raise ScheduleError([visible(f"{name}: {problem}") for problem in error.problems]) from None
    except (OSError, ValueError) as error:
        raise ScheduleError([visible(f"{path}: {getattr(error, 'strerror', None) or error}")]) from None
    problems = dict.fromkeys(_problems(schedule, name))
    if is_schedule and window:
        problems[visible(f"{name}: {WINDOW_OF_SCHEDULE}")] = None
    if is_schedule and changes:
        problems[visible(f"{name}: {SCALE_OF_SCHEDULE}")] = None
    if problems:
        raise ScheduleError([*problems][:MAX_PROBLEMS])
    return replace(schedule, name=visible(name).replace(" ", "_"), folder=str(path.parent))


def _problems(schedule: Schedule, name: str) -> Iterator[str]:
    """Yield the problems of its loads on this machine."""
    checked: set[int] = set()  # ids of loads, which many events may share
    for event in schedule.events:
        if id(event.load) in checked:
            continue
        try:
            check_load(event.load)
            checked.add(id(event.load))
        except LoadError as error:
            yield from (visible(f"{name}: event {event.id}: {key}: {problem}") for key, problem in error.problems)


class _Source:
    """The files of a schedule, in one folder, or the texts that were read of them before."""

    def __init__(self, folder: Path, texts: dict[str, str] | None) -> None:
        self._folder, self._texts = folder, texts

    def is_schedule(self, name: str) -> bool:
        """Tell a schedule from a recording.

        Raises:
            OSError: It cannot be read.
            ValueError: It is not a regular file.
        """
        path = self._folder / name
        if self._texts is not None and name in self._texts:
            return looks_like_schedule(self._texts[name][:HEAD], name)
        if path.is_dir():
            return False
        with _opened(path) as file:
            return looks_like_schedule(file.read(HEAD).decode("utf-8-sig", "replace"), name)

    def schedule(self, name: str) -> str:
        """Return the text of a schedule.

        Raises:
            OSError: It cannot be read.
            ValueError: It is not a regular file, not UTF-8, or too large.
        """
        return self._text(name, partial(_content, self._folder / name))

    def recording(self, name: str) -> MachineRecording:
        """Return a recording; raises as `schedule`, or `RecordingError`."""
        if self._texts is not None and name in self._texts:
            return parse_text(self._texts[name])
        blocks = recording_blocks(self._folder / name)
        if self._texts is None:  # in blocks, so that a long one is never in memory as a whole
            return parse_blocks(lambda: _limited(blocks()))
        return parse_text(self._text(name, lambda: b"".join(_limited(blocks()))))

    def _text(self, name: str, read: Callable[[], bytes]) -> str:
        if self._texts is None:
            return _decoded(read()).replace("\r\n", "\n")
        if name not in self._texts:
            self._texts[name] = _decoded(read()).replace("\r\n", "\n")
        return self._texts[name]


def _content(path: Path) -> bytes:
    with _opened(path) as file:
        content = file.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise ValueError(_too_large(LARGEST_FILE))
    return content


def _limited(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the blocks of a recording, and check that they are UTF-8, and not too many.

    Raises:
        ValueError: They are not.
    """
    left = LARGEST_RECORDING
    for block in blocks:
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
