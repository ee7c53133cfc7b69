"""The profile of a load over time: a ramp to its amount, or stages.

Stages are those of k6: a sequence of amounts, each reached linearly over its duration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pytest_twin.model.error_text import shown, truncated
from pytest_twin.model.quantity import Amount, format_duration, parse_duration
from pytest_twin.stressors.spec.kind import MAX
from pytest_twin.stressors.spec.profile import Points

Stages = tuple[tuple[float, str], ...]
StagesByKind = Mapping[str, Stages]

MAX_STAGES = 10_000


def parse_stages(raw: object) -> Stages:
    """Parse stages, ``"10s:20%, 30s:80%"`` or a list of pairs, into seconds and amounts as they were written.

    Raises:
        ValueError: They are malformed.
    """
    pairs = [part.rpartition(":")[::2] for part in raw.split(",")] if isinstance(raw, str) else raw
    if not isinstance(pairs, Sequence) or not 1 <= len(pairs) <= MAX_STAGES or not all(map(_is_pair, pairs)):
        raise ValueError(
            f'{shown(raw)} is not a list of stages; write durations and amounts such as "10s:20%, 30s:80%"'
        )
    stages = tuple((parse_duration(time), " ".join(str(amount).split())) for time, amount in pairs)
    for _, amount in stages:
        if {",", ":"} & {*amount}:  # which separate stages and their parts in text
            raise ValueError(f'{shown(amount)} is not an amount; write one such as "20%"')
    return stages


def parse_all_stages(raw: object) -> Stages | StagesByKind:
    """Parse the stages of all kinds of a load, or an object with those of each by its keyword.

    Raises:
        ValueError: They are malformed.
    """
    if not isinstance(raw, Mapping) or not raw:
        return parse_stages(raw)
    found = {}
    for keyword, its_stages in raw.items():
        try:
            found[str(keyword)] = parse_stages(its_stages)
        except ValueError as error:
            raise ValueError(f"{truncated(str(keyword))}: {error}") from None
    return found


def stages_of(stages: Stages | StagesByKind | None, keyword: str) -> Stages | None:
    """Return the stages of a kind; None if it has none."""
    return stages.get(keyword) if isinstance(stages, Mapping) else stages


def faster_stages(raw: object, speed: float) -> str | dict[str, str]:
    """Return what `parse_all_stages` reads with all durations divided by a speed."""
    stages = parse_all_stages(raw)
    if isinstance(stages, Mapping):
        return {keyword: format_stages(each, speed) for keyword, each in stages.items()}
    return format_stages(stages, speed)


def _is_pair(raw: object) -> bool:
    return isinstance(raw, list | tuple) and len(raw) == 2 and bool(raw[0] or raw[0] == 0)


def format_stages(stages: Stages, speed: float = 1.0) -> str:
    """Return stages as text that `parse_stages` reads, with durations divided by `speed`."""
    return ", ".join(f"{format_duration(seconds / speed)}:{amount}" for seconds, amount in stages)


def stages_profile(start: Amount, stages: Stages, parse_amount: Callable[[object], Amount]) -> tuple[Points, str]:
    """Return the profile from a first amount through stages, and the unit of its values; 0 has any unit.

    Raises:
        ValueError: An amount is malformed, or the amounts do not share a unit.
    """
    points, unit, at = [(0.0, start.value)], start.unit if start.value else "", 0.0
    for seconds, text in stages:
        value, its_unit = parse_amount(text)
        at += seconds
        points.append((at, value))
        if its_unit == MAX or (value and unit and its_unit != unit):
            raise ValueError(f'"{truncated(text)}" has a different unit from the amounts before it')
        unit = unit or (its_unit if value else "")
    return points, unit or start.unit


def ramp_profile(value: float, ramp: float, steps: int | None) -> Points:
    """Return the profile that grows from 0 to a value, smoothly or in a number of steps."""
    if ramp <= 0:
        return [(0.0, value)]
    if steps is None:
        return [(0.0, 0.0), (ramp, value)]
    points: Points = [(0.0, value / steps)]
    for step in range(1, steps):
        at = ramp * step / steps
        points += [(at, value * step / steps), (at, value * (step + 1) / steps)]
    return points
