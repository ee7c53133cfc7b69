"""Search for the tests that a scarce machine breaks: the loop that makes the runs until the time is over."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_twin._system.clock import monotonic
from pytest_twin._system.stdlib import os, select, signal, sys, time
from pytest_twin._system.temporary_directory import WatchedTemporaryDirectory
from pytest_twin.analysis.flaky.conditions import IDLE, Condition, conditions
from pytest_twin.analysis.flaky.planner import PlannedRun, Planner
from pytest_twin.analysis.flaky.tally import FAILED, resolve
from pytest_twin.loads.spec import LoadError
from pytest_twin.loads.validation import read_constraint, read_load
from pytest_twin.stressors.system.capacity import allowed_cpus, usable_cpus
from pytest_twin.stressors.system.prctl import set_child_subreaper

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    import pytest

    from pytest_twin.analysis.flaky.planner import Batch
    from pytest_twin.analysis.flaky.tally import RunResult
    from pytest_twin.loads.applied import AppliedLoad
    from pytest_twin.recording.recording import Recording

assert sys.platform != "win32"  # noqa: S101 - for the type checker: there is no fork

if TYPE_CHECKING:
    from pytest_twin.plugin.flaky.forked_run import ForkedRun

MOST_LANES = 8  # runs at the same time
LANE_SHARE = 0.5  # of the usable CPUs, for all of them together
REAP_WITHIN_S = 2.0
REAP_EVERY_S = 0.1
STEP_S = 0.005  # between two looks at what is running
SETTLE_WITHIN_S = 20.0  # for a constraint to be in force, or to end
GRACE_S, SLOWNESS = 5.0, 5.0  # a run may take 5 s, and five times as long as its CPU time explains
FIRST_DEADLINE_S = 60.0  # of a test that has not been run before
FIRST_SHARE = 0.25  # of the time of the search, at most as long
MEMORY_KILL = "the memory of the test is limited to"


class Lane:
    """One run in progress, with its constraint."""

    def __init__(self, run: ForkedRun, constraint: AppliedLoad | None) -> None:
        self.run, self.constraint = run, constraint
        self.since = monotonic()
        self.is_asked_to_stop = False

    @property
    def is_waiting(self) -> bool:
        """Whether the test has not begun."""
        return not self.run.began

    @property
    def is_constraint_over(self) -> bool:
        """Whether its constraint has ended, or does not end."""
        ended = self.constraint is None or self.constraint.ended_at is not None
        return ended or monotonic() - self.since > SETTLE_WITHIN_S


class FlakySearch:
    """A search over the collected tests.

    Attributes:
        planner: Chooses the runs, and has their results.
        runs: The number of runs that counted.
        unavailable: For each condition that cannot be applied here, the reason.
    """

    def __init__(
        self,
        items: Sequence[pytest.Item],
        recording: Recording,
        seconds: float,
        bypassed: Callable[[pytest.Item], Collection[object]],
        progress: Callable[[FlakySearch], None],
    ) -> None:
        """Prepare it.

        Args:
            items: The tests.
            recording: The recording that applies loads and constraints.
            seconds: The time for the search.
            bypassed: Returns the plugins that must not see the runs of a test.
            progress: Called after each run.
        """
        self._items = {item.nodeid: item for item in items}
        self._recording, self._bypassed, self._progress = recording, bypassed, progress
        cpus = max(1, int(min(usable_cpus(), allowed_cpus())))
        self._lane_cpus = max(LANE_SHARE * usable_cpus(), 0.5)
        self.planner = Planner(list(self._items), conditions(cpus), seconds, lanes=MOST_LANES)
        self.runs = 0
        self.unavailable: dict[Condition, str] = {}
        self._seconds, self._end, self._reap_at = seconds, 0.0, 0.0
        self._lanes: list[Lane] = []
        self._own_children: set[int] = set()
        self._directory = Path()
        self._number = 0

    @property
    def left_s(self) -> float:
        """Seconds that are left."""
        return max(0.0, self._end - monotonic())

    def run(self) -> None:
        """Make runs until the time is over, or until none would tell anything more."""
        self._end = monotonic() + self._seconds
        temporary = WatchedTemporaryDirectory()
        self._directory = temporary.path
        self._own_children = set(_children())
        set_child_subreaper()  # so that daemons of tests are found
        try:
            while (batch := self.planner.next_batch(self.left_s)) is not None:
                self._run_batch(batch)
        finally:
            self._discard_lanes()
            set_child_subreaper(enabled=False)
            temporary.remove()

    def _run_batch(self, batch: Batch) -> None:
        keywords = dict(word.split("=", 1) for word in batch.stress.split())
        name = f"search under {batch.stress or 'no load'}{', several tests at once' if batch.is_parallel else ''}"
        try:
            load = read_load(keywords)
        except LoadError as error:
            self._drop(batch.runs[0].condition, str(error))
            return
        with self._recording.phase(name), self._recording.under_load(load) as applied:
            problem = next((each.failure for each in applied if each.failure), "")
            if problem:
                self._drop(batch.runs[0].condition, problem)
            elif batch.is_parallel:
                self._run_beside(batch)
            else:
                for planned in batch.runs:
                    if planned.condition in self.unavailable or not self.left_s:
                        continue
                    self._start(planned)
                    while self._lanes:
                        self._step()

    def _run_beside(self, batch: Batch) -> None:
        """Make runs at the same time, and further ones as long as they are of more value than runs alone."""
        waiting = [each for each in batch.runs if each.condition not in self.unavailable]
        while (waiting or self._lanes) and self.left_s:
            while (planned := self._next_beside(batch.stress, waiting)) is not None:
                self._start(planned)
            for lane in self._lanes if len(self._lanes) > 1 else ():
                lane.run.is_alone = False
            self._step()
        self._discard_lanes()

    def _next_beside(self, stress: str, waiting: list[PlannedRun]) -> PlannedRun | None:
        used = sum(lane.run.planned.condition.lane_cpus for lane in self._lanes)
        if len(self._lanes) >= MOST_LANES or used + 0.05 > self._lane_cpus:
            return None
        if not waiting:
            now = monotonic()
            running = {lane.run.planned: now - (lane.run.began or now) for lane in self._lanes}
            more = self.planner.next_beside(stress, running, self.left_s)
            waiting += [more] if more is not None else []
        if not waiting or (self._lanes and used + waiting[0].condition.lane_cpus > self._lane_cpus + 1e-9):
            return None
        return waiting.pop(0)

    def _start(self, planned: PlannedRun) -> None:
        """Fork, and apply the constraint to the fork."""
        from pytest_twin.plugin.flaky.forked_run import ForkedRun

        item = self._items[planned.test]
        self._number += 1
        directory = self._directory / str(self._number)
        directory.mkdir(mode=0o700)
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):
                stream.flush()  # what is in the buffer would be written by the fork too
        run = ForkedRun(planned, item, self._bypassed(item), directory)
        lane = Lane(run, None)
        self._lanes.append(lane)
        condition = self._resolve(planned)
        if condition.constrain:
            lane.constraint = self._apply_constraint(condition, run.pid, planned.test)
        else:
            run.open_gate(self._deadline(planned))

    def _resolve(self, planned: PlannedRun) -> Condition:
        return resolve(planned.condition, self.planner.tallies[planned.test])

    def _apply_constraint(self, condition: Condition, pid: int, test: str) -> AppliedLoad:
        from dataclasses import replace

        part = read_constraint(condition.constrain).parts[0]
        # the fork has a process group of its own, but nobody waits for stops of it
        own = {"pid": pid, "parent": os.getpid(), "outside": self._recording.own_children}
        part = replace(part, options={**part.options, **own})
        return self._recording.apply(part, test=test)

    def _deadline(self, planned: PlannedRun) -> float:
        """Return the seconds after which a run is killed: far more than its need of CPU time explains."""
        tally = self.planner.tallies[planned.test].get(IDLE)
        if tally is None or not tally.results:
            return min(FIRST_DEADLINE_S, max(GRACE_S, FIRST_SHARE * self._seconds))
        wall = max(each.duration_s for each in tally.results)
        cpu = max(each.cpu_s or 0.0 for each in tally.results)
        return GRACE_S + SLOWNESS * (wall + cpu / planned.condition.cpu_share)

    def _step(self) -> None:
        """Look at all that is running, and take what has ended."""
        self._wait_for_output()
        for lane in list(self._lanes):
            if lane.is_waiting:
                self._begin_when_ready(lane)
            elif lane.is_asked_to_stop:
                if lane.is_constraint_over:
                    self._finish(lane)
            elif lane.run.watch():
                lane.since, lane.is_asked_to_stop = monotonic(), True
                lane.run.stop()  # before its constraint ends: it would go on faster
                if lane.constraint is not None:
                    lane.constraint.ask_to_stop()
        self._reap_orphans()
        if not self.left_s:
            self._discard_lanes()

    def _wait_for_output(self) -> None:
        """Read what the runs have sent, after a short wait for it."""
        runs = {lane.run.result_fd: lane.run for lane in self._lanes if not lane.is_asked_to_stop}
        if not runs:
            time.sleep(STEP_S)
            return
        poll = select.poll()
        for descriptor in runs:
            poll.register(descriptor, select.POLLIN)
        for descriptor, events in poll.poll(1000 * STEP_S):
            if not events & select.POLLIN or not runs[descriptor].read():
                time.sleep(STEP_S / 5)  # it ends at this moment

    def _begin_when_ready(self, lane: Lane) -> None:
        constraint = lane.constraint
        is_late = monotonic() - lane.since > SETTLE_WITHIN_S
        if constraint is None or not (constraint.is_settled or is_late):
            return
        planned = lane.run.planned
        if constraint.ready_at is None:
            self._lanes.remove(lane)
            lane.run.discard()
            constraint.ask_to_stop()
            self._drop(planned.condition, constraint.failure or "it did not start")
            return
        lane.run.open_gate(self._deadline(planned))

    def _finish(self, lane: Lane) -> None:
        """Take the result of a run, and remove what is left of it."""
        self._lanes.remove(lane)
        figures = lane.constraint.achieved if lane.constraint is not None else {}
        planned, constraint = lane.run.planned, self._resolve(lane.run.planned).constrain
        killed_by = f"{MEMORY_KILL} {constraint.removeprefix('mem=')}" if constraint.startswith("mem=") else ""
        result = lane.run.result(figures.get("throttled_s"), killed_by)
        if lane.constraint is not None and lane.constraint.failure and result.outcome == FAILED:
            return  # the constraint was not in force to the end, or its end has broken the test
        self._count(planned, result, lane.run.limit_s)

    def _count(self, planned: PlannedRun, result: RunResult, limit_s: float | None) -> None:
        if limit_s:
            self.planner.set_limit(planned.test, limit_s)
        self.planner.add(planned, result)
        self.runs += 1
        if not self._lanes:
            self._kill_orphans()
        self._progress(self)

    def _drop(self, condition: Condition, reason: str) -> None:
        """Leave out a condition that cannot be applied here."""
        if condition in self.unavailable or condition == IDLE:
            return
        self.unavailable[condition] = reason
        self.planner.drop(condition)
        self._recording.note(f"not searched under {condition}: {reason}")

    def _discard_lanes(self) -> None:
        """End all runs without counting them."""
        for lane in self._lanes:
            lane.run.discard()
            if lane.constraint is not None:
                lane.constraint.ask_to_stop()
        for lane in self._lanes:
            if lane.constraint is not None:
                lane.constraint.wait_gone()
        self._lanes.clear()
        self._kill_orphans()

    def _orphans(self) -> set[int]:
        """Return the processes that tests have started and whose parents have ended."""
        runs = {lane.run.pid for lane in self._lanes}
        return set(_children()) - runs - {*self._own_children, *self._recording.own_children}

    def _reap_orphans(self) -> None:
        """Reap those that have ended, as init does: a test may wait until such a process is gone."""
        if monotonic() >= self._reap_at:
            self._reap_at = monotonic() + REAP_EVERY_S
            for pid in self._orphans():
                with suppress(OSError):
                    os.waitpid(pid, os.WNOHANG)

    def _kill_orphans(self) -> None:
        """Kill the processes that tests have left, which are children of this process now, and then their children."""
        until = monotonic() + REAP_WITHIN_S
        while (orphans := self._orphans()) and monotonic() < until:
            for pid in orphans:
                with suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
                    _reap(pid)
        for path in self._directory.glob("*"):
            shutil.rmtree(path, ignore_errors=True)


def _reap(pid: int) -> None:
    """Wait for the end of a killed process, which the kernel may put off while it waits for a disk."""
    until = monotonic() + REAP_WITHIN_S
    while os.waitpid(pid, os.WNOHANG)[0] == 0 and monotonic() < until:
        time.sleep(STEP_S)


def _children() -> list[int]:
    """Return the children of this process; none where the kernel does not tell."""
    if sys.platform == "linux":
        from pytest_twin.stressors.constraint.process_tree import children

        return children(os.getpid())
    return []
