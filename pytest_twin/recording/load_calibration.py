"""Measure what this machine does under loads of known size: its CPU pressure, and the rate of its disk.

The loads are those of a replay, and a sampler runs beside them as in a replay: the figures are what replays of such
demands will show. Each level is applied twice, the second time in the opposite order, so that a drift cancels out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from pytest_twin._system.clock import monotonic
from pytest_twin.loads.registry import kinds
from pytest_twin.loads.spec import Load, LoadPart
from pytest_twin.loads.validation import read_load
from pytest_twin.model.machine_calibration import MachineCalibration
from pytest_twin.model.quantity import parse_amount
from pytest_twin.recording.recording import Recording
from pytest_twin.stressors.kinds.cpu_total import HostIdleTime, read_host
from pytest_twin.stressors.spec.kind import SHARE
from pytest_twin.telemetry.probes.pressure import Pressure

DEMANDS = (0.0, 0.1, 0.25, 0.4, 0.55, 0.7, 0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.2, 1.35, 1.5, 1.75, 2.0, 2.5, 3.0)
ROUNDS = 2
SETTLE_S, DISK_S, START_S = 0.5, 4.0, 0.2  # a load takes about 0.2 s to start and to end
SHORTEST_LEVEL_S = 0.3

Wait = Callable[[float], bool]  # waits for some seconds; returns whether to stop


class CalibrationError(Exception):
    """This machine cannot be calibrated; the message is for the user."""


class _Level(NamedTuple):
    """A measurement: the demand, and the pressure, both as shares."""

    demand: float
    pressure: float


def level_s(seconds: float) -> float:
    """Return the time for which each level is measured, if all is to take so many seconds."""
    others = DISK_S + len(DEMANDS) * ROUNDS * (START_S + SETTLE_S)
    return max(SHORTEST_LEVEL_S, (seconds - others) / (len(DEMANDS) * ROUNDS))


def measure_machine(recording: Recording, wait: Wait, seconds: float) -> MachineCalibration | None:
    """Measure this machine.

    Args:
        recording: The recording that applies the loads.
        wait: Waits for some seconds; returns whether to stop.
        seconds: About how long it may take.

    Returns:
        None if it was stopped.

    Raises:
        CalibrationError: A load failed, or there is no pressure to read.
    """
    rate = _disk_rate(recording, wait)
    levels: list[_Level] = []
    for turn in range(ROUNDS):
        for demand in DEMANDS if turn % 2 else reversed(DEMANDS):
            if (found := _measure_level(recording, wait, demand, level_s(seconds))) is None:
                return None
            levels.append(found)
    ordered = list(_merged(sorted(levels)))
    return MachineCalibration(tuple(each.demand for each in ordered), tuple(each.pressure for each in ordered), rate)


def _measure_level(recording: Recording, wait: Wait, demand: float, hold_s: float) -> _Level | None:
    """Return the pressure at a demand; None if it was stopped."""
    part = LoadPart(kinds()["cpu_total"], f"{demand:.0%}", SHARE, ((0.0, demand),))
    load = Load((part,), {"cpu_total": part.text}) if demand else Load()
    with recording.under_load(load) as applied:
        for each in applied:
            if each.failure:
                raise CalibrationError(f"{each.part}: {each.failure}")
        if wait(SETTLE_S):
            return None
        probe = Pressure()
        probe.read(monotonic())
        before = read_host()
        is_stopped = wait(hold_s)
        busy, pressure = _busy_share(before, read_host()), probe.read(monotonic())[0]
    if pressure is None:
        raise CalibrationError("this machine has no /proc/pressure/cpu; its pressure cannot be measured")
    # a machine that does more than was requested, or less than all, shows what the demand was
    return None if is_stopped else _Level(max(demand, min(busy, 1.0)), float(pressure) / 100)


def _busy_share(before: HostIdleTime, after: HostIdleTime) -> float:
    return 1 - (after.idle_s - before.idle_s) / max(after.at - before.at, 1e-9) / after.cpus


def _merged(levels: list[_Level]) -> Iterator[_Level]:
    """Yield the levels, those of the same demand as one with their mean pressure."""
    pressures: dict[float, list[float]] = {}
    for demand, pressure in levels:
        pressures.setdefault(demand, []).append(pressure)
    for demand, found in pressures.items():
        yield _Level(demand, sum(found) / len(found))


def _disk_rate(recording: Recording, wait: Wait) -> float | None:
    """Return the bytes per second that an unlimited disk load writes; None if it fails."""
    with recording.under_load(read_load({"disk": "max"})) as applied:
        wait(DISK_S)
    text = applied[0].achieved_text
    return (parse_amount(text).value or None) if text and not applied[0].failure else None
