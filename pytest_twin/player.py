"""Schedules, read from files and played through the supervisor, which keeps the times."""

from __future__ import annotations

import os
import stat
from bisect import bisect_right
from collections import Counter
from dataclasses import replace
from os import getpid
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pytest_twin.applied import NOT_REACHED, stop_all
from pytest_twin.background import run_in_background
from pytest_twin.latch import Latch
from pytest_twin.loads import check
from pytest_twin.model.load import LoadError
from pytest_twin.model.schedule import Planned, Schedule, ScheduleError
from pytest_twin.model.schedule_reading import MOST_PROBLEMS, read
from pytest_twin.model.selection import is_for
from pytest_twin.model.table import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_twin.applied import Applied
    from pytest_twin.guard import Guard
    from pytest_twin.model.load import Kinds, Part

LARGEST_FILE = 64 << 20
MOST_WAITING = 500  # events that the supervisor knows before their time
LOOK_EVERY_S = 0.1
END_WITHIN_S = 15.0  # of the thread, which may be starting a supervisor anew
MOST_ROWS = 100  # of events that were not reached


class Loads(Protocol):
    """What a schedule is played through, as `Recording` is."""

    @property
    def guard(self) -> Guard:
        """Keeps errors of ours from the tests."""
        ...

    def apply(
        self, part: Part, *, name: str | None = None, test: str = "", note: str = "",
        start: float | None = None, duration: float | None = None, seed: int = 0,
    ) -> Applied:  # fmt: skip
        """Ask for one kind of load; None as a name is a new one."""
        ...

    def now_for_loads(self) -> float:
        """The time of loads, which stands still while they are paused."""
        ...

    def skipped(
        self, number: str, kind: str, target: str, reason: str, *, test: str = "", loads: int = 1
    ) -> None:  # fmt: skip
        """Write that something planned was not reached."""
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


class Player:
    """One playing of one schedule.

    The supervisor keeps the times, so events for every test are handed to it before they begin. Of a long schedule it
    gets the next ones only, and more from a thread as these begin: what is never reached then costs next to nothing. An
    event for certain tests is applied while such a test runs within its time.

    Attributes:
        applied: Everything that it has asked for.
    """

    def __init__(self, plan: Schedule, loads: Loads, *, test: str = "", prefix: str = "") -> None:
        """Prepare it.

        Args:
            plan: What to play.
            loads: Applies the loads.
            test: The test that it is played around; empty for all.
            prefix: In front of the events' ids, where a schedule is played more than once.
        """
        self._loads, self._seed, self._test, self._prefix = loads, plan.seed, test, prefix
        self._timeline = [event for event in plan.events if not event.tests or (test and selects(event, test))]
        self._for_tests = [] if test else [event for event in plan.events if event.tests]
        self._at_once = bisect_right(self._timeline, 0.0, key=lambda event: event.start_s)
        self._process = getpid()
        self._began: float | None = None
        self._handed = 0  # events of the timeline
        self._ending = Latch()
        self._has_handed = Latch()  # all that it will
        self.applied: list[Applied] = []
        self._around: dict[str, list[Applied]] = {}  # by test
        self._times: dict[str, int] = {}  # how often an event for certain tests was applied

    def start(self, at: float) -> None:
        """Begin at that time of loads."""
        self._began = at
        self._hand_over(at, max(self._at_once, MOST_WAITING))
        if self._handed == len(self._timeline):
            self._has_handed.set()
            return
        try:
            self._has_handed = run_in_background(lambda: self._hand_over_in_time(at))
        except RuntimeError:  # the system has no more threads
            self._hand_over(at, len(self._timeline))
            self._has_handed.set()

    @property
    def started(self) -> bool:
        """Whether it has begun."""
        return self._began is not None

    def wait_for_first(self) -> None:
        """Wait until every event that starts at once is really there."""
        count = sum(len(event.load.parts) for event in self._timeline[: self._at_once])
        for applied in self.applied[:count]:
            applied.wait_ready()

    def test_began(self, nodeid: str, now: float) -> None:
        """Apply the events that are for this test, if their time is now."""
        if self._began is None:
            return
        for event in self._for_tests:
            left = self._began + event.end_s - now
            if left > 0 and now >= self._began + event.start_s and selects(event, nodeid):
                self._times[event.id] = turn = self._times.get(event.id, 0) + 1
                self._around.setdefault(nodeid, []).extend(self._parts(event, None, left, nodeid, turn))

    def test_ended(self, nodeid: str) -> None:
        """Stop the events that are for this test."""
        stop_all(self._around.pop(nodeid, []))

    def stop(self) -> None:
        """Stop everything, and write what was never handed over; a fork that a test made does nothing."""
        if self._process != getpid():
            return
        self._ending.set()
        try:
            if self._began is not None:
                self._has_handed.wait(END_WITHIN_S)
        finally:
            stop_all([*self.applied, *(each for around in self._around.values() for each in around)])
        if self._began is not None:
            self._write_skipped(self._timeline[self._handed :], NOT_REACHED)
        unused = [event for event in self._for_tests if event.id not in self._times]
        self._write_skipped(unused, "no test that it is for ran within its time")

    @property
    def over(self) -> bool:
        """Whether everything was handed over, and has ended."""
        return self._has_handed.is_set() and all(applied.ended_at is not None for applied in self.applied)

    def _hand_over(self, began: float, count: int) -> None:
        """Hand over so many events more, or those that there are."""
        for event in self._timeline[self._handed : self._handed + count]:
            if self._ending.is_set():
                return
            self._handed += 1
            self.applied.extend(self._parts(event, began + event.start_s, event.duration_s, self._test))

    def _hand_over_in_time(self, began: float) -> None:
        """Hand over the rest: always when half of those that were waiting have begun."""
        half = MOST_WAITING // 2
        with self._loads.guard:
            while self._handed < len(self._timeline) and not self._ending.is_set():
                left = began + self._timeline[self._handed - half].start_s - self._loads.now_for_loads()
                if left <= 0:
                    self._hand_over(began, half)
                else:
                    self._ending.wait(max(left, LOOK_EVERY_S))  # at least, since it stays the same in a pause

    def _write_skipped(self, events: Sequence[Planned], reason: str) -> None:
        """Write that events were not applied: a row for each, or for each kind where they are many."""
        counts = Counter(part.kind.type for event in events for part in event.load.parts)
        if counts.total() > MOST_ROWS:
            for kind, count in counts.items():
                self._loads.skipped("", kind, "", reason, test=self._test, loads=count)
            return
        for event in events:
            for part in event.load.parts:
                self._loads.skipped(self._name(event, part), part.kind.type, part.text, reason, test=self._test)

    def _parts(self, event: Planned, start: float | None, lasts: float, test: str, turn: int = 1) -> Iterator[Applied]:
        for part in event.load.parts:
            yield self._loads.apply(
                part,
                name=f"{self._name(event, part)}{f'~{turn}' if turn > 1 else ''}",
                test=test,
                note=event.note,
                start=start,
                duration=lasts,
                seed=self._seed,
            )

    def _name(self, event: Planned, part: Part) -> str:
        """What the load is called in annotations.csv."""
        return f"{self._prefix}{event.id}{f'/{part.kind.keyword}' if len(event.load.parts) > 1 else ''}"


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
