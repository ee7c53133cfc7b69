"""Schedules, read from files and played through the supervisor, which keeps the times."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from os import getpid
from typing import TYPE_CHECKING, Protocol

from pytest_twin._system.interruptible_event import InterruptSafeEvent, run_in_background
from pytest_twin.loads.applied import NOT_REACHED, stop_all
from pytest_twin.loads.schedule.schedule import Schedule, ScheduledLoad
from pytest_twin.model.nodeid_pattern import matches

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_twin._system.error_guard import ErrorGuard
    from pytest_twin.loads.applied import AppliedLoad
    from pytest_twin.loads.spec import LoadPart
    from pytest_twin.stressors.spec.request import LoadRequest

MOST_WAITING = 500  # events that the supervisor knows before their time
LOOK_EVERY_S = 0.1
END_WITHIN_S = 15.0  # of the thread, which may be starting a supervisor anew
MOST_ROWS = 100  # of events that were not reached


class LoadApplier(Protocol):
    """What a schedule is played through, as `Recording` is."""

    @property
    def guard(self) -> ErrorGuard:
        """Keeps errors of ours from the tests."""
        ...

    def apply(
        self, part: LoadPart, request: LoadRequest | None = None, *, test: str = "", note: str = ""
    ) -> AppliedLoad:
        """Ask for one kind of load."""
        ...

    def load_time(self) -> float:
        """The time of loads, which stands still while they are paused."""
        ...

    def write_skip(
        self, number: str, kind: str, target: str, reason: str, *, test: str = "", loads: int = 1
    ) -> None:  # fmt: skip
        """Write that something planned was not reached."""
        ...


class SchedulePlayer:
    """One playing of one schedule.

    The supervisor keeps the times, so events for every test are handed to it before they begin. Of a long schedule it
    gets the next ones only, and more from a thread as these begin: what is never reached then costs next to nothing. An
    event for certain tests is applied while such a test runs within its time.

    Attributes:
        applied: Everything that it has asked for.
    """

    def __init__(self, plan: Schedule, loads: LoadApplier, *, test: str = "", prefix: str = "") -> None:
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
        self._ending = InterruptSafeEvent()
        self._has_handed = InterruptSafeEvent()  # all that it will
        self.applied: list[AppliedLoad] = []
        self._around: dict[str, list[AppliedLoad]] = {}  # by test
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
                left = began + self._timeline[self._handed - half].start_s - self._loads.load_time()
                if left <= 0:
                    self._hand_over(began, half)
                else:
                    self._ending.wait(max(left, LOOK_EVERY_S))  # at least, since it stays the same in a pause

    def _write_skipped(self, events: Sequence[ScheduledLoad], reason: str) -> None:
        """Write that events were not applied: a row for each, or for each kind where they are many."""
        counts = Counter(part.kind.type for event in events for part in event.load.parts)
        if counts.total() > MOST_ROWS:
            for kind, count in counts.items():
                self._loads.write_skip("", kind, "", reason, test=self._test, loads=count)
            return
        for event in events:
            for part in event.load.parts:
                self._loads.write_skip(self._name(event, part), part.kind.type, part.text, reason, test=self._test)

    def _parts(
        self, event: ScheduledLoad, start: float | None, lasts: float, test: str, turn: int = 1
    ) -> Iterator[AppliedLoad]:
        for part in event.load.parts:
            name = f"{self._name(event, part)}{f'~{turn}' if turn > 1 else ''}"
            request = part.request(name, start=start, duration=lasts, seed=self._seed)
            yield self._loads.apply(part, request, test=test, note=event.note)

    def _name(self, event: ScheduledLoad, part: LoadPart) -> str:
        """What the load is called in annotations.csv."""
        return f"{self._prefix}{event.id}{f'/{part.kind.keyword}' if len(event.load.parts) > 1 else ''}"


def selects(event: ScheduledLoad, nodeid: str) -> bool:
    """Whether an event is for this test."""
    return matches(event.tests, nodeid)
