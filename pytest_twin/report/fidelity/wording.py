"""The wording of a scorecard, in every format."""

from __future__ import annotations

import math
from collections.abc import Iterator

from pytest_twin.analysis.fidelity.gates import FAILED, NOT_JUDGED, Gate, GateVerdict, Limit
from pytest_twin.analysis.fidelity.scorecard import Scorecard
from pytest_twin.model.duration_text import NOTHING, format_duration
from pytest_twin.report.wording import format_count

FEWEST_DIGITS, MOST_DIGITS = 3, 9
ALL = "all resources"


def opening_lines(card: Scorecard) -> Iterator[str]:
    """Yield what was compared, and how."""
    (recording, run), (of_recording, of_run) = card.names, card.intervals_s
    yield f"{run} as a replay of {recording}: {describe_verdict(card)}"
    yield (
        f"the recording lasts {format_duration(card.duration_s)}; intervals of {of_recording:.3g} s (recording) and "
        f"{of_run:.3g} s (run), resampled to the coarser: {card.interval_s:.3g} s; aligned by elapsed time"
    )
    yield from (f"note: {remark}" for remark in card.remarks)


def describe_verdict(card: Scorecard) -> str:
    """Return the verdict with the number of gates that failed."""
    failed = len(list(card.failures()))
    return f"{card.verdict} ({format_count(failed, 'gate')})" if failed else card.verdict


def failure_lines(card: Scorecard) -> Iterator[str]:
    """Yield a line for each gate that failed: the value, its limit, and what that means."""
    for name, each in card.failures():
        of_what = f" ({each.remark})" if each.remark else ""
        yield (
            f"{name or ALL}: {each.gate.title} {format_value(each)}{of_what}, the limit is "
            f"{format_limit(each.gate, each.limit)}: {each.gate.catches}"
        )


def gap_lines(card: Scorecard) -> Iterator[str]:
    """Yield a line for each reason why gates were not judged, with all resources that it holds for."""
    names: dict[tuple[str, str], list[str]] = {}  # by the gates, empty for all of them, and the reason
    for resource in card.resources:
        titles: dict[str, list[str]] = {}
        for each in resource.verdicts:
            if each.verdict == NOT_JUDGED:
                titles.setdefault(each.remark, []).append(each.gate.title)
        for reason, of_gates in titles.items():
            gates = "" if len(of_gates) == len(resource.verdicts) else f" {', '.join(of_gates)}:"
            names.setdefault((gates, reason), []).append(resource.name)
    yield from (f"{', '.join(of_names)}:{gates} {reason}" for (gates, reason), of_names in names.items())
    if card.coupling.verdict == NOT_JUDGED:
        yield f"{card.coupling.gate.title}: {card.coupling.remark}"


def format_value(verdict: GateVerdict) -> str:
    """Format a value with its unit, and with so many digits that a failed one differs from its limit."""
    if verdict.value is None:
        return NOTHING
    digits = FEWEST_DIGITS
    text = _number(verdict.value, digits)
    while verdict.verdict == FAILED and digits < MOST_DIGITS and _passes(float(text), verdict.limit):
        digits += 1
        text = _number(verdict.value, digits)
    return _with_unit(text, verdict.gate)


def _passes(value: float, limit: Limit) -> bool:
    return limit.low <= value <= limit.high


def _number(value: float, digits: int) -> str:
    return f"{value + 0.0:.{digits}g}" if abs(value) >= 1e-4 else "0"


def format_limit(gate: Gate, limit: Limit) -> str:
    """Format a limit: ``≥ 0.95``, ``≤ 30 %``, ``±5 %``, ``0.5 to 2``."""
    low, high = (_number(value, FEWEST_DIGITS) for value in limit)
    if math.isinf(limit.high):
        return _with_unit(f"≥ {low}", gate)
    if math.isinf(limit.low):
        return _with_unit(f"≤ {high}", gate)
    return _with_unit(f"±{high}" if limit.low == -limit.high else f"{low} to {high}", gate)


def _with_unit(text: str, gate: Gate) -> str:
    return f"{text} {gate.unit}" if gate.unit else text
