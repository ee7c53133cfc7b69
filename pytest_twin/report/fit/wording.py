"""The wording of a fitted schedule: its amounts, and the notes of its events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from pytest_twin.analysis.fit.phases import Level, Phase
from pytest_twin.model.quantity import format_short_duration

LONG_S = 7200.0  # recordings from this length on have notes without seconds
DAY_S = 86400.0
LEAST_CHANGE = 0.1  # of the highest amount of a resource; less is not worth a note
_NAMES = {"cpu": "cpu", "mem": "mem", "disk_write": "disk writes", "disk_read": "disk reads", "net_sent": "net"}
_SHARES = ("cpu", "mem")


def format_amount(name: str, value: float) -> str:
    """Return an amount of a load, or of a resource of a recording, as `parse_amount` reads it: ``35%``, ``12MB/s``."""
    if name in _SHARES:
        return f"{100 * value:.6g}%"
    size, unit = next(((size, unit) for size, unit in ((1e9, "GB/s"), (1e6, "MB/s")) if value >= size), (1e3, "kB/s"))
    return f"{value / size:.6g}{unit}"


def phase_notes(phases: Sequence[Phase], start: datetime | None) -> Iterator[str]:
    """Yield a note for each phase: when the recording had it, and what changes.

    Args:
        phases: The phases.
        start: The UTC time of the start of the recording; None if it is not known.
    """
    highest = {name: max(max(phase.levels[name]) for phase in phases) for name in phases[0].levels}
    before = dict.fromkeys(highest, 0.0)
    duration_s = sum(phase.duration_s for phase in phases)
    for phase in phases:
        at = format_short_duration(phase.start_s) if start is None else _time(start, phase.start_s, duration_s)
        changes = (_change(name, before[name], level, highest[name]) for name, level in phase.levels.items())
        yield f"{at}: {', '.join(filter(None, changes)) or 'little changes'}"
        before = {name: level.last for name, level in phase.levels.items()}


def _time(start: datetime, elapsed_s: float, duration_s: float) -> str:
    """Return the time in a recording of this duration: to the second or minute, and with the date if it has several."""
    unit_s, form = (1, "%H:%M:%S") if duration_s < LONG_S else (60, "%H:%M")
    if duration_s > DAY_S:
        form = f"%Y-%m-%d {form}"
    return f"{start + timedelta(seconds=elapsed_s + unit_s / 2):{form}} UTC"


def _change(name: str, before: float, level: Level, highest: float) -> str:
    """Return how the amount of a resource changes at the start of a phase and in it; empty where it hardly does."""
    first, last = (format_amount(name, value) for value in level)
    jumps, moves = (abs(change) > LEAST_CHANGE * highest for change in (level.first - before, level.last - level.first))
    way = (
        f"{_NAMES[name]} {'up' if level.first > before else 'down'} to {first}" if jumps else f"{_NAMES[name]} {first}"
    )
    if moves:
        return f"{way}{', then' if jumps else ''} to {last}"
    return way if jumps else ""
