"""Profile a test: run it under each level of load of each resource, as long as there is time."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING
from zlib import crc32

import pytest

from pytest_twin._system.clock import monotonic
from pytest_twin._system.stdlib import time
from pytest_twin.analysis.budgets.repetitions import Repetition, RunPair
from pytest_twin.analysis.sensitivity import (
    NOTHING,
    ProfileCell,
    ResourceCurve,
    cells,
    curves,
    least_known_cell,
    rounds,
)
from pytest_twin.analysis.stats.signed_rank import FEWEST
from pytest_twin.loads.validation import read_load
from pytest_twin.model.csv_text import record
from pytest_twin.model.profile_row import RESOURCES, load_at
from pytest_twin.model.quantity import parse_amount
from pytest_twin.plugin.repeat import UnrepeatableError, run_repetition
from pytest_twin.plugin.stash import PROFILED_LOAD
from pytest_twin.run_folder.layout import PROFILE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_twin.loads.spec import Load
    from pytest_twin.recording.recording import Recording

CALIBRATION_S = 1.0
TIMEOUT_ERROR = pytest.fail.Exception  # pytest-timeout raises it, here while a load starts or stops
MAX_RUNS, BLOCK_S = 5, 0.2  # runs of one measurement; fewer if they take that many seconds together


class Profiler:
    """Profiles test after test; the time that one leaves is for those after it."""

    def __init__(self, recording: Recording, seconds: float, tests: int) -> None:
        """Prepare it.

        Args:
            recording: The recording that applies the loads.
            seconds: The time for all tests.
            tests: The number of tests.
        """
        self._recording = recording
        self._share, self._left = seconds / max(1, tests), 0.0
        self._table = recording.folder.table(PROFILE, recording.worker)
        self._loads: dict[ProfileCell, Load] = {}

    def close(self) -> None:
        """Close the table of profiles."""
        self._table.close()

    def profile(self, item: pytest.Item) -> None:
        """Profile a test; a test that does not pass gets no profile."""
        try:
            loads = self._calibrate()
        except TIMEOUT_ERROR as error:
            self._recording.note(f"not profiled: {error}", test=item.nodeid)
            return
        began = monotonic()
        self._left += self._share
        stamp = self._recording.clock.stamp(self._recording.elapsed())
        measured: dict[ProfileCell, list[RunPair]] = {cell: [] for cell in cells()}
        try:
            run_repetition(item)  # warm-up
        except UnrepeatableError:
            return  # the reported run shows why
        try:
            for cell, pair in _measure(item, self._recording, loads, measured, began + self._left):
                measured[cell].append(pair)
        except (UnrepeatableError, TIMEOUT_ERROR) as error:
            self._recording.note(f"not profiled further: {error}", test=item.nodeid)
        self._left -= monotonic() - began
        for row in _rows(stamp, item.nodeid, curves(measured), loads):
            self._table.append(row)

    def _calibrate(self) -> dict[ProfileCell, Load]:
        """Return the load of each cell, relative to the maximum of this machine."""
        if not self._loads:
            maxima = {resource: self._measure_maximum(resource) for resource in RESOURCES[1:]}
            self._loads = {cell: read_load(load_at(*cell, maxima.get(cell.resource, 0.0))) for cell in cells()}
        return self._loads

    def _measure_maximum(self, resource: str) -> float:
        """Return the bytes a second that an unlimited load of a resource achieves."""
        with self._recording.under_load(read_load({resource: "max"})) as applied:
            time.sleep(CALIBRATION_S)
        return parse_amount(applied[0].achieved_text).value if applied[0].achieved_text else 0.0


def _run_block(item: pytest.Item, recording: Recording, load: Load) -> Repetition:
    """Run a test under a load, several times if it is short, and return the medians as one measurement.

    To start a load takes longer than a short test; runs so close to each other are not independent measurements.
    """
    runs: list[Repetition] = []
    item.stash[PROFILED_LOAD] = str(load)
    try:
        with recording.under_load(load, test=item.nodeid) as applied:
            while len(runs) < MAX_RUNS and sum(run.wall_s for run in runs) < BLOCK_S:
                runs.append(run_repetition(item))
    finally:
        del item.stash[PROFILED_LOAD]
    cpu = [run.cpu_s for run in runs if run.cpu_s is not None]
    achieved = tuple(each.achieved_text for each in applied)
    return Repetition(median(run.wall_s for run in runs), median(cpu) if cpu else None, achieved)


def _measure(
    item: pytest.Item,
    recording: Recording,
    loads: dict[ProfileCell, Load],
    measured: dict[ProfileCell, list[RunPair]],
    until: float,
) -> Iterator[tuple[ProfileCell, RunPair]]:
    """Measure until the time is over or all intervals are narrow: first all cells, then the one with the widest."""
    orders = rounds(crc32(item.nodeid.encode("utf-8", "surrogatepass")))
    for _, order in zip(range(FEWEST), orders, strict=False):
        yield from _run_round(item, recording, loads, order, until)
    while monotonic() < until and (cell := least_known_cell(measured)) is not None:
        order = [each for each in next(orders) if each in {None, cell}]
        yield from _run_round(item, recording, loads, order, until)


def _run_round(
    item: pytest.Item,
    recording: Recording,
    loads: dict[ProfileCell, Load],
    order: list[ProfileCell | None],
    until: float,
) -> Iterator[tuple[ProfileCell, RunPair]]:
    runs: dict[ProfileCell | None, Repetition] = {}
    for cell in order:
        if monotonic() >= until:
            break
        runs[cell] = _run_block(item, recording, loads[cell or NOTHING])
    idle = runs.get(None)
    if idle is not None:
        yield from ((cell, RunPair(idle, run)) for cell, run in runs.items() if cell is not None)


def _rows(stamp: str, nodeid: str, found: list[ResourceCurve], loads: dict[ProfileCell, Load]) -> Iterator[str]:
    for curve in found:
        for point in curve.points:
            low, high = (point.interval.low, point.interval.high) if point.interval else (None, None)
            cpu = point.cpu_ratio.middle if point.cpu_ratio else None
            numbers = (point.idle_s, point.slowdown, low, high, cpu)
            cells_of_numbers = [None if value is None else f"{value:.6g}" for value in numbers]
            target = str(loads[point.cell]) if point.cell.level else ""
            which = (stamp, nodeid, "", curve.resource, point.cell.level, target)
            yield record((*which, point.achieved, point.pairs, *cells_of_numbers, curve.knee, curve.rank))
