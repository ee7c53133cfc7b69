"""Schedules, read from files and played through the supervisor, which keeps the times."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pytest_twin.applied import stop_all
from pytest_twin.loads import check
from pytest_twin.model.load import LoadError
from pytest_twin.model.schedule import Planned, Schedule, ScheduleError
from pytest_twin.model.schedule_reading import MOST_PROBLEMS, read
from pytest_twin.model.selection import is_for
from pytest_twin.model.table import visible

if TYPE_CHECKING:
    from pytest_twin.applied import Applied
    from pytest_twin.model.load import Kinds, Part

LARGEST_FILE = 64 << 20


class Apply(Protocol):
    """Asks for one kind of load, as `Supervisor.apply` does; None as a name is a new one."""

    def __call__(
        self,
        part: Part,
        *,
        name: str | None = None,
        test: str = "",
        note: str = "",
        start: float | None = None,
        duration: float | None = None,
        seed: int = 0,
    ) -> Applied:
        """Ask for it."""
        ...


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
    for event in schedule.events:
        try:
            check(event.load)
        except LoadError as error:
            wrong.update((f"{path.name}: event {event.id}: {key}: {problem}", None) for key, problem in error.problems)
    if wrong:
        raise ScheduleError([visible(line) for line in wrong][:MOST_PROBLEMS])
    return replace(schedule, name=visible(path.name).replace(" ", "_"))


class Player:
    """One playing of one schedule.

    Events for every test are handed to the supervisor at once, with their times; an event for certain tests is applied
    while such a test runs within its time.

    Attributes:
        applied: Everything that it has asked for.
    """

    def __init__(self, plan: Schedule, apply: Apply, *, test: str = "", prefix: str = "") -> None:
        """Prepare it.

        Args:
            plan: What to play.
            apply: Asks for one kind of load.
            test: The test that it is played around; empty for all.
            prefix: In front of the events' ids, where a schedule is played more than once.
        """
        self._plan, self._apply, self._test, self._prefix = plan, apply, test, prefix
        self._began: float | None = None
        self.applied: list[Applied] = []
        self._around: dict[str, list[Applied]] = {}  # by test
        self._times: dict[str, int] = {}  # how often an event for certain tests was applied

    def start(self, at: float) -> None:
        """Begin at that monotonic time."""
        self._began = at
        for event in self._plan.events:
            if not event.tests or (self._test and selects(event, self._test)):
                self.applied += self._parts(event, at + event.start_s, event.duration_s, self._test)

    @property
    def started(self) -> bool:
        """Whether it has begun."""
        return self._began is not None

    def wait_for_first(self) -> None:
        """Wait until every event that starts at once is really there."""
        count = sum(len(event.load.parts) for event in self._plan.events if event.start_s <= 0 and not event.tests)
        for applied in self.applied[:count]:
            applied.wait_ready()

    def test_began(self, nodeid: str, now: float) -> None:
        """Apply the events that are for this test, if their time is now."""
        if self._began is None:
            return
        for event in self._plan.events:
            left = self._began + event.end_s - now
            if event.tests and left > 0 and now >= self._began + event.start_s and selects(event, nodeid):
                self._times[event.id] = turn = self._times.get(event.id, 0) + 1
                self._around.setdefault(nodeid, []).extend(self._parts(event, None, left, nodeid, turn))

    def test_ended(self, nodeid: str) -> None:
        """Stop the events that are for this test."""
        stop_all(self._around.pop(nodeid, []))

    def stop(self) -> list[Planned]:
        """Stop everything; comes back with the events for certain tests that never were applied."""
        stop_all([*self.applied, *(each for around in self._around.values() for each in around)])
        return [event for event in self._plan.events if event.tests and event.id not in self._times and not self._test]

    @property
    def over(self) -> bool:
        """Whether everything that was handed over has ended."""
        return all(applied.ended_at is not None for applied in self.applied)

    def _parts(self, event: Planned, start: float | None, lasts: float, test: str, turn: int = 1) -> Iterable[Applied]:
        several = len(event.load.parts) > 1
        for part in event.load.parts:
            name = (
                f"{self._prefix}{event.id}{f'/{part.kind.keyword}' if several else ''}{f'~{turn}' if turn > 1 else ''}"
            )
            yield self._apply(
                part, name=name, test=test, note=event.note, start=start, duration=lasts, seed=self._plan.seed
            )


def selects(event: Planned, nodeid: str) -> bool:
    """Whether an event is for this test."""
    return is_for(event.tests, nodeid)


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
