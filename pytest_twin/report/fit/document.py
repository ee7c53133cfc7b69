"""A fitted schedule as the document of a schedule, one event for each phase."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from pytest_twin.analysis.fit.phases import Level, Phase
from pytest_twin.analysis.fit.rounding import rounded_amount
from pytest_twin.model.quantity import format_short_duration
from pytest_twin.report.fit.wording import format_amount, phase_notes


def schedule_document(phases: Sequence[Phase], start: datetime | None) -> dict[str, Any]:
    """Return the document; a phase without a load has no event.

    Args:
        phases: The phases.
        start: The UTC time of the start of the recording, for the notes; None if it is not known.
    """
    notes = phase_notes(phases, start)
    events = [
        {
            "start": format_short_duration(phase.start_s),
            "duration": format_short_duration(phase.duration_s),
            **load,
            "note": note,
        }
        for phase, note in zip(phases, notes, strict=True)
        if (load := _load(phase))
    ]
    return {"version": 1, "anchor": "session", "mode": "parallel", "events": events}


def _load(phase: Phase) -> dict[str, Any]:
    """Return the keywords of the load in a phase; straight lines are stages."""
    load: dict[str, Any] = {}
    stages: dict[str, str] = {}
    for keyword, level, modifiers in _amounts(phase.levels):
        first, last = (format_amount(keyword, value) for value in level)
        load |= {keyword: first, **modifiers}
        if first != last:
            stages[keyword] = f"{format_short_duration(phase.duration_s)}:{last}"
    return {**load, **({"stages": stages} if stages else {})}


def _amounts(levels: Mapping[str, Level]) -> Iterator[tuple[str, Level, dict[str, str]]]:
    """Yield each load that is not nothing: its keyword, its amounts, and its modifiers."""
    nothing = Level(0.0, 0.0)
    for keyword, name in (("cpu", "cpu"), ("mem", "mem"), ("net", "net_sent")):
        if (level := levels.get(name, nothing)) != nothing:
            yield keyword, level, {}
    read, written = levels.get("disk_read", nothing), levels.get("disk_write", nothing)
    both = Level(rounded_amount(read.first + written.first), rounded_amount(read.last + written.last))
    if both != nothing:
        share = round(100 * sum(read) / (sum(read) + sum(written)))
        patterns = {0: {}, 100: {"pattern": "read"}}
        yield "disk", both, patterns.get(share, {"pattern": f"mixed:{share}"})
