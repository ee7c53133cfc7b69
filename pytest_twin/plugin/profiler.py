"""Profile a test: run it at each level of each load and of a quota of CPU time, as long as there is time."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

import pytest

from pytest_twin._system.clock import monotonic
from pytest_twin._system.stdlib import time
from pytest_twin.analysis.budgets.repetitions import Repetition, RunPair
from pytest_twin.analysis.sensitivity import (
    NOTHING,
    ProfileCell,
    ResourceCurve,
    RunCount,
    cells,
    curves,
    least_known_cell,
    rounds,
)
from pytest_twin.analysis.stats.signed_rank import FEWEST
from pytest_twin.loads.spec import LoadError
from pytest_twin.loads.validation import read_load
from pytest_twin.model.csv_text import record
from pytest_twin.model.profile_row import CPU_AND_DISK, LEVELS, LOADS, QUOTA, load_at
from pytest_twin.model.quantity import parse_amount
from pytest_twin.plugin.progress import Progress, format_left
from pytest_twin.plugin.repeat import UnrepeatableError, error_line, restart_timeout, run_repetition, stop_timeout
from pytest_twin.plugin.stash import HELD_LOAD
from pytest_twin.run_folder.layout import PROFILE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pytest_twin.loads.spec import Load
    from pytest_twin.recording.recording import Recording

CALIBRATION_S = 1.0
TIMEOUT_ERROR = pytest.fail.Exception  # pytest-timeout raises it, here as a run begins or is over
MAX_RUNS, BLOCK_S = 5, 0.2  # runs of one measurement; fewer if they take that many seconds together
MOST_WARM_UPS = 3  # a test that fails each time without load is not profiled


class Block(NamedTuple):
    """Several runs of a test at one level, close to each other.

    Attributes:
        measurement: The medians of the runs that passed; None if none did.
        tally: How many there were, and how many failed.
    """

    measurement: Repetition | None
    tally: RunCount


class Profiler:
    """Profiles test after test; the time that one leaves is for those after it."""

    def __init__(self, recording: Recording, seconds: float, tests: int, *, is_combined: bool = False) -> None:
        """Prepare it.

        Args:
            recording: The recording that applies the loads.
            seconds: The time for all tests.
            tests: The number of tests.
            is_combined: Whether loads of CPU and disk are measured together too, as a prediction needs.
        """
        self._recording = recording
        self._share, self._left = seconds / max(1, tests), 0.0
        self._tests, self._done = tests, 0
        self._progress: Progress | None = None
        self._table = recording.folder.table(PROFILE, recording.worker)
        self._loads: dict[ProfileCell, Load] = {}
        self._wanted = (*LOADS, CPU_AND_DISK) if is_combined else LOADS
        self._resources: Sequence[str] = ()

    def close(self) -> None:
        """Close the table of profiles."""
        self._table.close()

    def profile(self, item: pytest.Item) -> None:
        """Profile a test; one that is skipped, or fails each time without load, gets no profile."""
        stop_timeout(item)
        self._calibrate()
        self._done += 1
        self._progress = self._progress or Progress(item.config)
        began = monotonic()
        self._left += self._share
        until = began + self._left
        later_s = self._share * (self._tests - self._done)
        where = f"profile of {item.nodeid}, {self._done} of {self._tests}"
        stamp = self._recording.clock.stamp(self._recording.elapsed())
        profile = TestProfile(item, self._recording, self._loads, self._resources)
        show = partial(self._progress.show, lambda: f"{where}: {format_left(until - monotonic() + later_s)}")
        try:
            if not profile.warm_up():
                return
            profile.measure(until, show)
        except TIMEOUT_ERROR as error:
            self._recording.note(f"not profiled further: {error}", test=item.nodeid)
        finally:
            self._progress.clear()
        self._left -= monotonic() - began
        for row in _rows(stamp, item.nodeid, profile.curves(), self._loads):
            self._table.append(row)

    def _calibrate(self) -> None:
        """Find the load of each cell, relative to the maximum of this machine, and whether there are quotas here."""
        if self._loads:
            return
        maxima = {resource: self._measure_maximum(resource) for resource in LOADS[1:]}
        maxima[CPU_AND_DISK] = maxima["disk"]
        resources = (*self._wanted, QUOTA) if self._can_constrain() else self._wanted
        loads = {cell: read_load(load_at(*cell, maxima.get(cell.resource, 0.0))) for cell in cells(resources)[1:]}
        self._resources, self._loads = resources, {NOTHING: read_load({}), **loads}

    def _measure_maximum(self, resource: str) -> float:
        """Return the bytes a second that an unlimited load of a resource achieves."""
        with self._recording.under_load(read_load({resource: "max"})) as applied:
            time.sleep(CALIBRATION_S)
        return parse_amount(applied[0].achieved_text).value if applied[0].achieved_text else 0.0

    def _can_constrain(self) -> bool:
        """Return whether a quota of CPU time can be enforced here; if not, write why."""
        try:
            with self._recording.under_load(read_load(load_at(QUOTA, LEVELS[QUOTA][1], 0.0))) as applied:
                reason = applied[0].failure
        except LoadError as error:
            reason = str(error)
        if reason:
            self._recording.note(f"profiled without quotas of CPU time: {reason}")
        return not reason


class TestProfile:
    """The measurements of one test."""

    __test__ = False  # pytest, where it collects a module that imports this

    def __init__(
        self, item: pytest.Item, recording: Recording, loads: Mapping[ProfileCell, Load], resources: Sequence[str]
    ) -> None:
        """Prepare it.

        Args:
            item: The test.
            recording: The recording that applies the loads.
            loads: The load of each cell.
            resources: The resources to profile.
        """
        self._item, self._recording, self._loads, self._resources = item, recording, loads, resources
        self._measured: dict[ProfileCell, list[RunPair]] = {cell: [] for cell in loads}
        self._counts: defaultdict[ProfileCell, RunCount] = defaultdict(RunCount)

    def curves(self) -> list[ResourceCurve]:
        """Return the curve of each resource."""
        return curves(self._measured, self._counts, self._resources)

    def warm_up(self) -> bool:
        """Run the test without load; return False if it is skipped, or never passes."""
        for _ in range(MOST_WARM_UPS):
            try:
                self._run_once()
            except UnrepeatableError as error:
                if not error.report.failed:
                    return False
                self._counts[NOTHING] = self._counts[NOTHING].plus(_failure(error))
            else:
                self._counts[NOTHING] = self._counts[NOTHING].plus(RunCount(1))
                return True
        self._recording.note(f"not profiled: fails without load: {self._counts[NOTHING].error}", test=self._item.nodeid)
        return False

    def measure(self, until: float, show: Callable[[], None] = lambda: None) -> None:
        """Measure until the time is over or all intervals are narrow: first all cells, then the one with the widest.

        Args:
            until: The end of the time.
            show: Called before each measurement, to show how far it is.
        """
        orders = rounds(crc32(self._item.nodeid.encode("utf-8", "surrogatepass")), self._resources)
        for _, order in zip(range(FEWEST), orders, strict=False):
            self._run_round(order, until, show)
        while monotonic() < until and (cell := self._least_known_cell()) is not None:
            self._run_round([each for each in next(orders) if each in {None, cell}], until, show)

    def _least_known_cell(self) -> ProfileCell | None:
        """Return the cell to measure next, of those at which the test passed often enough."""
        return least_known_cell({cell: pairs for cell, pairs in self._measured.items() if len(pairs) >= FEWEST})

    def _run_round(self, order: list[ProfileCell | None], until: float, show: Callable[[], None]) -> None:
        """Measure some cells, each once, and the test without load, with which each is compared."""
        blocks: dict[ProfileCell | None, Repetition] = {}
        for cell in order:
            if monotonic() >= until:
                break
            show()
            block = self._run_block(self._loads[cell or NOTHING])
            self._counts[cell or NOTHING] = self._counts[cell or NOTHING].plus(block.tally)
            if block.measurement is not None:
                blocks[cell] = block.measurement
        if (idle := blocks.pop(None, None)) is not None:
            for cell, measurement in blocks.items():
                if cell is not None:
                    self._measured[cell].append(RunPair(idle, measurement))

    def _run_block(self, load: Load) -> Block:
        """Run the test under a load, several times if it is short, and take the medians as one measurement.

        To start a load takes longer than a short test; runs so close to each other are not independent measurements.
        """
        item, passed, count = self._item, list[Repetition](), RunCount()
        took = 0.0
        item.stash[HELD_LOAD] = load
        try:
            with self._recording.under_load(load, test=item.nodeid) as applied:
                while count.runs < MAX_RUNS and took < BLOCK_S:
                    began = monotonic()
                    try:
                        passed.append(self._run_once())
                    except UnrepeatableError as error:
                        if not error.report.failed:  # it is skipped
                            break
                        took += monotonic() - began
                        count = count.plus(_failure(error))
                    else:
                        took += passed[-1].wall_s
                        count = count.plus(RunCount(1))
        finally:
            del item.stash[HELD_LOAD]
        if not passed:
            return Block(None, count)
        cpu = [run.cpu_s for run in passed if run.cpu_s is not None]
        achieved = tuple(each.achieved_text for each in applied)
        wall_s = median(run.wall_s for run in passed)
        return Block(Repetition(wall_s, median(cpu) if cpu else None, achieved), count)

    def _run_once(self) -> Repetition:
        """Run the test within its limit, which is not one of the loads."""
        restart_timeout(self._item)
        try:
            return run_repetition(self._item)
        finally:
            stop_timeout(self._item)


def _failure(error: UnrepeatableError) -> RunCount:
    return RunCount(1, 1, error_line(error.report))


def _rows(stamp: str, nodeid: str, found: list[ResourceCurve], loads: Mapping[ProfileCell, Load]) -> Iterator[str]:
    for curve in found:
        for point in curve.points:
            low, high = (point.interval.low, point.interval.high) if point.interval else (None, None)
            cpu = point.cpu_ratio.middle if point.cpu_ratio else None
            numbers = (point.idle_s, point.slowdown, low, high, cpu)
            cells_of_numbers = [None if value is None else f"{value:.6g}" for value in numbers]
            target = str(loads[point.cell]) if point.cell in loads else ""
            which = (stamp, nodeid, "", curve.resource, point.cell.level, target)
            measured = (*which, point.achieved, point.pairs, *cells_of_numbers)
            yield record((*measured, curve.knee, curve.rank, *point.tally))
