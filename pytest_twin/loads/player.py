"""Play a schedule through the supervisor, which keeps the times."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from os import getpid
from typing import TYPE_CHECKING, Protocol

from pytest_twin._system.interruptible_event import InterruptSafeEvent, run_in_background
from pytest_twin.loads.applied import NOT_REACHED, stop_all
from pytest_twin.loads.schedule.schedule import Schedule, ScheduledLoad
from pytest_twin.model.nodeid_pattern import matches
from pytest_twin.stressors.spec.request import ON_TIME, REPLAY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_twin._system.error_guard import ErrorGuard
    from pytest_twin.loads.applied import AppliedLoad
    from pytest_twin.loads.spec import LoadPart
    from pytest_twin.stressors.spec.request import LoadRequest

MAX_PENDING = 500  # events that are sent to the supervisor before their time
POLL_INTERVAL_S = 0.1
END_WITHIN_S = 15.0  # of the thread, which may be starting another supervisor
MAX_SKIP_ROWS = 100  # rows for events that were not reached; with more there is one for each kind of load


class LoadApplier(Protocol):
    """Applies the loads of a schedule, as `Recording` does."""

    @property
    def guard(self) -> ErrorGuard:
        """Catches internal errors, so that no test fails by them."""
        ...

    def apply(
        self, part: LoadPart, request: LoadRequest | None = None, *, test: str = "", note: str = ""
    ) -> AppliedLoad:
        """Ask for one kind of load."""
        ...

    def load_time(self) -> float:
        """Return the time of loads in seconds, which stands still while they are paused."""
        ...

    def write_skip(
        self, number: str, kind: str, target: str, reason: str, *, test: str = "", loads: int = 1
    ) -> None:  # fmt: skip
        """Write a row for scheduled loads that were not reached."""
        ...


class SchedulePlayer:
    """Plays one schedule once.

    The supervisor keeps the times, so events for every test are sent to it before they begin. Of a long schedule it
    gets only the next ones, and more from a thread as these begin, so that events that are never reached cost next to
    nothing. An event for certain tests is applied while such a test runs within the event's time.

    Attributes:
        applied: The loads of all events sent so far; of events for certain tests those that had to hold and did not.
    """

    def __init__(self, plan: Schedule, loads: LoadApplier, *, test: str = "", prefix: str = "") -> None:
        """Create the player.

        Args:
            plan: The schedule.
            loads: Applies the loads.
            test: The test that it is played around; empty for all tests.
            prefix: Prefix of the events' ids, for a schedule that is played more than once.
        """
        self._loads, self._seed, self._test, self._prefix = loads, plan.seed, test, prefix
        self._timeline = [event for event in plan.events if not event.tests or (test and selects(event, test))]
        self._for_tests = [] if test else [event for event in plan.events if event.tests]
        self._at_once = bisect_right(self._timeline, 0.0, key=lambda event: event.start_s)
        self._process = getpid()
        self._began: float | None = None
        self._sent = 0  # number of events of the timeline sent to the supervisor
        self._ending = InterruptSafeEvent()
        self._all_sent = InterruptSafeEvent()
        self.applied: list[AppliedLoad] = []
        self._by_test: dict[str, list[AppliedLoad]] = {}
        self._turns: dict[str, int] = {}  # how often each event for certain tests was applied

    def start(self, at: float) -> None:
        """Start playing, with the anchor at this time of loads."""
        self._began = at
        self._send(at, max(self._at_once, MAX_PENDING))
        if self._sent == len(self._timeline):
            self._all_sent.set()
            return
        try:
            self._all_sent = run_in_background(lambda: self._send_in_time(at))
        except RuntimeError:  # the system has no more threads
            self._send(at, len(self._timeline))
            self._all_sent.set()

    @property
    def started(self) -> bool:
        """Whether it is playing or has played."""
        return self._began is not None

    def wait_for_first(self) -> None:
        """Wait until every event that starts at once is ready."""
        count = sum(len(event.load.parts) for event in self._timeline[: self._at_once])
        for applied in self.applied[:count]:
            applied.wait_ready()

    def start_test(self, nodeid: str, now: float) -> None:
        """Apply the events that select this test and whose time is now, and wait for those that must hold.

        A test that ended before they were ready would fail the run.
        """
        if self._began is None:
            return
        for event in self._for_tests:
            left = self._began + event.end_s - now
            if left > 0 and now >= self._began + event.start_s and selects(event, nodeid):
                self._turns[event.id] = turn = self._turns.get(event.id, 0) + 1
                self._by_test.setdefault(nodeid, []).extend(self._parts(event, None, left, nodeid, turn))
        for applied in self._by_test.get(nodeid, []):
            if applied.part.must_hold:
                applied.wait_ready()

    def end_test(self, nodeid: str) -> None:
        """Stop the events that select this test."""
        loads = self._by_test.pop(nodeid, [])
        stop_all(loads)
        self.applied += [each for each in loads if each.part.must_hold and each.problem]

    def stop(self) -> None:
        """Stop all loads, and write rows for events that were not reached; does nothing in a forked process."""
        if self._process != getpid():
            return
        self._ending.set()
        try:
            if self._began is not None:
                self._all_sent.wait(END_WITHIN_S)
        finally:
            stop_all([*self.applied, *(each for loads in self._by_test.values() for each in loads)])
        if self._began is not None:
            self._write_skipped(self._timeline[self._sent :], NOT_REACHED)
        unused = [event for event in self._for_tests if event.id not in self._turns]
        self._write_skipped(unused, "no test that it selects ran within its time")

    @property
    def over(self) -> bool:
        """Whether all events were sent and have ended."""
        return self._all_sent.is_set() and all(applied.ended_at is not None for applied in self.applied)

    def _send(self, began: float, count: int) -> None:
        """Send up to `count` further events."""
        for event in self._timeline[self._sent : self._sent + count]:
            if self._ending.is_set():
                return
            self._sent += 1
            self.applied.extend(self._parts(event, began + event.start_s, event.duration_s, self._test))

    def _send_in_time(self, began: float) -> None:
        """Send the rest: half of the pending number whenever half of the pending events have begun."""
        half = MAX_PENDING // 2
        with self._loads.guard:
            while self._sent < len(self._timeline) and not self._ending.is_set():
                left = began + self._timeline[self._sent - half].start_s - self._loads.load_time()
                if left <= 0:
                    self._send(began, half)
                else:
                    self._ending.wait(max(left, POLL_INTERVAL_S))  # `left` does not shrink in a pause

    def _write_skipped(self, events: Sequence[ScheduledLoad], reason: str) -> None:
        """Write a row for each event that was not applied, or one for each kind of load if there are many."""
        counts = Counter(part.kind.type for event in events for part in event.load.parts)
        if counts.total() > MAX_SKIP_ROWS:
            for kind, count in counts.items():
                self._loads.write_skip("", kind, "", reason, test=self._test, loads=count)
            return
        for event in events:
            for part in event.load.parts:
                self._loads.write_skip(self._name(event, part), part.kind.type, part.text, reason, test=self._test)

    def _parts(
        self, event: ScheduledLoad, start: float | None, duration: float, test: str, turn: int = 1
    ) -> Iterator[AppliedLoad]:
        for part in event.load.parts:
            name = f"{self._name(event, part)}{f'~{turn}' if turn > 1 else ''}"
            request = part.request(name, start=start, duration=duration, seed=self._seed)
            if REPLAY in part.options:
                replay = {REPLAY: f"{self._prefix}{event.id}~{turn}", ON_TIME: not test}  # a test waits for its loads
                request = request.with_options(**replay)
            yield self._loads.apply(part, request, test=test, note=event.note)

    def _name(self, event: ScheduledLoad, part: LoadPart) -> str:
        """Return the id of a load in annotations.csv: its kind behind that of the event if it has several."""
        if len(event.load.parts) == 1:
            return f"{self._prefix}{event.id}"
        same = [each for each in event.load.parts if each.kind is part.kind]
        number = next(at for at, each in enumerate(same, 1) if each is part)
        return f"{self._prefix}{event.id}/{part.kind.keyword}{number if number > 1 else ''}"


def selects(event: ScheduledLoad, nodeid: str) -> bool:
    """Return whether the pattern of an event matches a test."""
    return matches(event.tests, nodeid)
