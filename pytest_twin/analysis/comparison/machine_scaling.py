"""CPU seconds of machines of different speed: made comparable by the scores in their fingerprints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median
from typing import TYPE_CHECKING

from pytest_twin.analysis.comparison.side import Side
from pytest_twin.analysis.run.by_host import display_name, host_column, hosts_of
from pytest_twin.model.machine_speed import MachineSpeed, machine_speed, speed_ratio
from pytest_twin.model.measure import MEASURES

if TYPE_CHECKING:
    import pandas as pd

NOTED_FROM = 1.1  # scores of one machine differ by several per cent, where others use it


class UnknownSpeedError(ValueError):
    """A machine has no scores; the message, one line, is for the user."""


def scale_cpu_seconds(before: Side, after: Side) -> tuple[Side, Side]:
    """Return both sides with the CPU seconds that their tests would have taken on the first machine before.

    The score of one thread counts, since a second of CPU time is one thread's.

    Raises:
        UnknownSpeedError: The fingerprint of a machine has no scores.
    """
    reference = next(iter(_speeds(before)), None)
    if reference is None:  # no test ran
        return before, after
    was, now = ([_scaled(run, side, number, reference) for number, run in enumerate(side.runs)]
                for side in (before, after))  # fmt: skip
    return before._replace(runs=was), after._replace(runs=now)


def speed_notes(before: Side, after: Side, *, is_scaled: bool) -> Iterator[str]:
    """Yield a note if the machines of the sides differ in speed, or if CPU seconds were scaled."""
    try:
        was, now = _speeds(before), _speeds(after)
    except UnknownSpeedError:
        return
    if not was or not now:
        return
    old, new = _median(was), _median(now)
    scores = f"{old.single:.1f} -> {new.single:.1f} with one thread, {old.all:.1f} -> {new.all:.1f} with all"
    if is_scaled:
        yield f"CPU seconds are scaled to the speed of the first machine; scores {scores}"
    elif max(speed_ratio(old, new), speed_ratio(new, old)) >= NOTED_FROM:
        yield f"the CPUs differ in speed, scores {scores}; compare with --scale-by-speed takes it out of CPU seconds"


def _median(speeds: Sequence[MachineSpeed]) -> MachineSpeed:
    return MachineSpeed(*(median(scores) for scores in zip(*speeds, strict=True)))


def _speeds(side: Side) -> list[MachineSpeed]:
    """Return the scores of each host that ran tests, run by run."""
    return [_speed(side, number, host) for number, run in enumerate(side.runs) for host in hosts_of(run)]


def _speed(side: Side, number: int, host: str) -> MachineSpeed:
    found = machine_speed(side.fingerprints[number].get(host))
    if found is None:
        machine = f"{display_name(host)} in {side.name}" if host else side.name
        raise UnknownSpeedError(
            f"{machine} has no speed scores in its fingerprint; run pytest-twin fingerprint on that machine after each "
            "boot, and record again"
        )
    return found


def _scaled(run: pd.DataFrame, side: Side, number: int, reference: MachineSpeed) -> pd.DataFrame:
    ratios = {host: speed_ratio(_speed(side, number, host), reference) for host in hosts_of(run)}
    factor = host_column(run).map(ratios).astype(float)
    columns = [column for column in MEASURES["cpu_seconds"].columns if column in run]
    return run.assign(**{column: run[column].astype(float) * factor for column in columns})
