"""What surrounded each test of a recorded run, as a schedule around it."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_twin.loads.schedule import TEST
from pytest_twin.loads.schedule.replay import replay_of
from pytest_twin.loads.schedule.schedule import Schedule, ScheduledLoad
from pytest_twin.loads.schedule.window import Window, cut_recording
from pytest_twin.loads.spec import Kinds, Load, LoadPart
from pytest_twin.model.machine_formats.parser import RecordingError
from pytest_twin.stressors.kinds.cpu import PER_CPU
from pytest_twin.stressors.spec.kind import SHARE
from pytest_twin.stressors.spec.profile import Profile

if TYPE_CHECKING:
    from pytest_twin.model.machine_recording import MachineRecording

HOLD_S = 86400.0  # no test takes longer; the end of a test ends its loads
MOST_COMPETITORS = 6  # workers of a CPU load for each CPU
WORK = "tests_cpu"  # column of what others did: the share of the CPUs that the tests used
LEVEL_S = 2.0  # for which others have one level beside a test that was recorded
MOST_LEVELS = 1000
BUSY = 0.25  # from this share on, a worker that wakes up late may get less than its share beside a busy test


class Stretch(NamedTuple):
    """A part of a run, in seconds since the run began."""

    since: float
    until: float


class RecordedLoad(NamedTuple):
    """A load that was scheduled in a run.

    Attributes:
        span: When it was applied.
        load: The load.
        test: The test around which it was applied; empty for one of the session.
    """

    span: Stretch
    load: Load
    test: str = ""


@dataclass(frozen=True, eq=False)
class Surroundings:
    """What surrounded the tests of a recorded run.

    Attributes:
        name: The name of the recording.
        others: What others did; None if that was not recorded. Its column `WORK` has the share of the CPUs that the
            tests used, as far as it is known.
        began_s: When `others` begins, in seconds since the run began.
        loads: The loads that were scheduled.
        stretches: The stretch of the body of each test.
        kinds: The installed kinds of load.
        window: The part of `others` that surrounds tests that were not recorded.
    """

    name: str
    others: MachineRecording | None
    began_s: float
    loads: Sequence[RecordedLoad]
    stretches: Mapping[str, Stretch]
    kinds: Kinds
    window: Window = Window()

    def around(self, nodeid: str, own: Load | None, session_s: float) -> Schedule | None:
        """Return the schedule to play around a test; None if nothing surrounds it.

        Args:
            nodeid: The test.
            own: The load of its marks, which is applied anyway.
            session_s: Seconds since the first test began.
        """
        stretch = self.stretches.get(nodeid)
        events = self._own(nodeid, stretch, own) if stretch is not None else self._from(session_s)
        loads = [event for event in events if event.load]
        return Schedule(tuple(sorted(loads, key=lambda event: event.start_s)), TEST, name=self.name) if loads else None

    def _own(self, nodeid: str, stretch: Stretch, own: Load | None) -> Iterable[ScheduledLoad]:
        """Return the events of a test's own stretch; a test that takes longer here keeps what it had on average."""
        if self.others is not None:
            end = float(self.others.frame.index[-1])
            since, until = (min(max(0.0, at - self.began_s), end) for at in stretch)
            if since < until:
                part = cut_recording(self.others, Window(since, until))
                load = self._replay(beside_work(part))
                yield ScheduledLoad("others", 0.0, HOLD_S, _with_mean_at_end(load, until - since))
        written = {(part.kind.keyword, part.text) for part in own.parts} if own else set()
        for number, each in enumerate(self.loads, 1):
            span = each.span
            if each.test not in {"", nodeid} or span.until <= stretch.since or span.since >= stretch.until:
                continue
            parts = [part for part in each.load.parts if not each.test or (part.kind.keyword, part.text) not in written]
            load = replace(each.load, parts=tuple(parts))
            is_left = span.until >= stretch.until or bool(each.test)
            yield _scheduled(f"s{number}", each, load, stretch.since, HOLD_S if is_left else None)

    def _from(self, session_s: float) -> Iterable[ScheduledLoad]:
        """Return the events of the whole recording from a time after its start on."""
        yield ScheduledLoad("others", 0.0, HOLD_S, shifted(self.whole, session_s))
        since = self.window_began_s + session_s
        for number, each in enumerate(self.loads, 1):
            if not each.test and each.span.until > since:
                yield _scheduled(f"s{number}", each, each.load, since, None)

    @cached_property
    def cut(self) -> MachineRecording | None:
        """The part of `others` that surrounds tests that were not recorded.

        Raises:
            RecordingError: The window is not within it.
        """
        return None if self.others is None else cut_recording(self.others, self.window)

    @property
    def window_began_s(self) -> float:
        """When that part begins, in seconds since the run began."""
        if self.cut is None or self.others is None or self.cut.start is None or self.others.start is None:
            return self.began_s
        return self.began_s + (self.cut.start - self.others.start).total_seconds()

    @cached_property
    def whole(self) -> Load:
        """The load of the whole recording, which ends with it."""
        if self.cut is None:
            return Load()
        end = float(self.cut.frame.index[-1])
        load = self._replay(self.cut)
        return replace(load, parts=tuple(_with_points(part, [(end, 0.0)]) for part in load.parts))

    def _replay(self, recording: MachineRecording) -> Load:
        try:
            load = replay_of(recording, self.name, self.kinds).load
        except RecordingError:  # nobody did anything
            return Load()
        return replace(load, parts=tuple(map(with_competitors, load.parts)), keywords={"replay": self.name})


def beside_work(recording: MachineRecording) -> MachineRecording:
    """Return a recording of others whose share of the CPUs is what they had while the tests worked.

    What they had while a test slept has no effect on it there, and would have one here, where the same test works and
    sleeps at other moments. So each piece of time has one level, of the rows in which the tests worked: those in which
    they used more of the CPUs weigh more, since the test slept in a part of the others.
    """
    if not {"cpu", WORK} <= {*recording.frame} or recording.frame["cpu"].isna().all():
        return recording
    import numpy as np

    frame = recording.frame[recording.frame["cpu"].notna()]
    ends = frame.index.to_numpy()
    lengths = np.diff(ends, prepend=0.0)
    pieces = ((ends - lengths / 2) // max(LEVEL_S, ends[-1] / MOST_LEVELS)).astype(int)
    worked = lengths * frame[WORK].to_numpy() ** 2

    def level(weights: Any) -> Any:
        """Return the mean of each row's piece; not a number where its weights are 0."""
        with np.errstate(invalid="ignore"):
            return (np.bincount(pieces, weights * frame["cpu"]) / np.bincount(pieces, weights))[pieces]

    beside = level(worked)
    return replace(recording, frame=frame.assign(cpu=np.where(np.isnan(beside), level(lengths), beside)))


def with_competitors(part: LoadPart) -> LoadPart:
    """Return a CPU load with as many workers for each CPU as it takes to get its share beside one busy test.

    A scheduler gives each process that wants it an equal share of a CPU. One worker gets half of it beside one busy
    test, so a load that had more consisted of more processes.
    """
    if part.kind.keyword != "cpu" or part.unit != SHARE or not part.profile:
        return part
    lasts = part.profile[-1][0]
    mean = Profile(list(part.profile)).integral(lasts) / lasts if lasts else part.peak
    busy = min(mean, 0.99)
    count = min(MOST_COMPETITORS, math.ceil(busy / (1 - busy)) + (busy > BUSY))
    return replace(part, options={**part.options, PER_CPU: max(1, count)})


def shifted(load: Load, seconds: float) -> Load:
    """Return what is left of a load after some seconds."""
    if seconds <= 0:
        return load
    return replace(load, parts=tuple(_shifted(part, seconds) for part in load.parts))


def _shifted(part: LoadPart, seconds: float) -> LoadPart:
    after = bisect_right(part.profile, seconds, key=lambda point: point[0])
    now = 0.0, Profile(list(part.profile)).at(seconds)
    return replace(part, profile=(now, *((at - seconds, value) for at, value in part.profile[after:])))


def _scheduled(name: str, each: RecordedLoad, load: Load, since: float, duration: float | None) -> ScheduledLoad:
    """Return the event of a recorded load in a stretch that begins at a time of its run."""
    start, late = max(0.0, each.span.since - since), max(0.0, since - each.span.since)
    lasts = each.span.until - max(each.span.since, since)
    return ScheduledLoad(name, start, min(lasts, HOLD_S) if duration is None else duration, shifted(load, late))


def _with_mean_at_end(load: Load, seconds: float) -> Load:
    """Return a load that keeps its mean after some seconds; memory stays as it is."""
    parts = []
    for part in load.parts:
        mean = Profile(list(part.profile)).integral(seconds) / seconds
        is_level = bool(part.kind.level) or part.kind.keyword == "mem"
        parts.append(part if is_level else _with_points(part, [(seconds, mean)]))
    return replace(load, parts=tuple(parts))


def _with_points(part: LoadPart, points: Sequence[tuple[float, float]]) -> LoadPart:
    first = points[0][0]
    kept = [point for point in part.profile if point[0] <= first]
    return replace(part, profile=(*kept, *points))
