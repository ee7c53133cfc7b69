"""What to apply, as data: one grammar for marker, fixture, schedule and command line."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pytest_twin.model.quantity import Amount, amount, duration, said_bytes, said_duration, size
from stressors.kind import BYTES, COUNT, MAX, OPS, SHARE, Kind
from stressors.profile import Points

Kinds = Mapping[str, Kind]


def _steps(raw: object) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int) or not 1 <= raw <= 10_000:
        raise ValueError(f"{raw!r} is not a whole number from 1 to 10000")
    return raw


def _switch(raw: object) -> bool:
    if not isinstance(raw, bool):
        raise ValueError(f"{raw!r} is not true or false")
    return raw


def _directory(raw: object) -> str:
    if not isinstance(raw, str) or not raw or "\0" in raw:
        raise ValueError(f"{raw!r} is not the name of a directory")
    return raw


@dataclass(frozen=True)
class Modifier:
    """A keyword that says how a load is applied, not how much."""

    read: Callable[[object], Any]
    help: str
    schema: Mapping[str, Any]


DURATION_SCHEMA = {"type": ["string", "number"]}
MODIFIERS = {
    "ramp": Modifier(duration, "time in which the load grows to its amount", DURATION_SCHEMA),
    "steps": Modifier(_steps, "grow in so many steps, not smoothly", {"type": "integer"}),
    "block": Modifier(size, "disk: bytes a write", {"type": "string"}),
    "pause": Modifier(duration, "disk: time between two blocks of an amount", DURATION_SCHEMA),
    "loop": Modifier(_switch, "disk: write the amount again and again", {"type": "boolean"}),
    "directory": Modifier(_directory, "disk and iops: where to write; the file has no name", {"type": "string"}),
}
_FOR_ALL = ("ramp", "steps")


@dataclass(frozen=True)
class Part:
    """The load of one kind.

    Attributes:
        kind: The stressor that applies it.
        text: The amount as it was written.
        unit: The unit of the profile's values, one of `stressors.kind`.
        profile: Points of (seconds, value), straight between, the last one held.
        options: What else the stressor is told.
    """

    kind: Kind
    text: str
    unit: str
    profile: tuple[tuple[float, float], ...]
    options: Mapping[str, Any] = field(default_factory=dict)

    def faster(self, speed: float) -> Part:
        """The same along a quicker clock: amounts and rates stay, times shrink."""
        options = {name: value / speed if name == "pause" else value for name, value in self.options.items()}
        return replace(self, profile=tuple((at / speed, value) for at, value in self.profile), options=options)

    def request(self) -> dict[str, Any]:
        """What the supervisor is sent."""
        return {
            "module": self.kind.module,
            "unit": self.unit,
            "profile": self.profile,
            "options": dict(self.options),
        }

    def said_achieved(self, achieved: Mapping[str, Any], held_s: float, usable: Mapping[str, float]) -> str:
        """What was really there, in the unit that was asked; empty where it is not known.

        Args:
            achieved: Figures of the stressor, added up over its workers.
            held_s: Seconds between ready and end.
            usable: For each measure, what a share is a share of: CPUs, bytes of memory.
        """
        figure = achieved.get(self.kind.measure)
        if figure is None or held_s <= 0:
            return ""
        if self.kind.measure == "cpu_s":
            figure /= held_s
        if self.unit == SHARE:
            whole = usable.get(self.kind.measure) or achieved.get(f"of_{self.kind.measure}")
            return f"{figure / whole:.1%}" if whole else ""
        if self.unit == COUNT:
            return f"{figure:.2f} cores" if self.kind.measure == "cpu_s" else f"{figure:.0f}"
        if OPS in self.kind.units:
            return f"{figure / held_s:.1f}/s"
        return said_bytes(figure, like=self.text) if self.unit == BYTES else f"{figure / held_s / 1e6:.1f}MB/s"


@dataclass(frozen=True)
class Load:
    """What to apply: one part a kind; none at all where every amount is zero.

    Attributes:
        parts: The loads, one a kind.
        keywords: What it was written as, for schedule.json and for people.
    """

    parts: tuple[Part, ...] = ()
    keywords: Mapping[str, Any] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.parts)

    def __str__(self) -> str:
        return " ".join(f"{name}={value}" for name, value in self.keywords.items())

    @classmethod
    def together(cls, loads: Iterable[Load]) -> Load:
        """One load of several."""
        parts: tuple[Part, ...] = ()
        keywords: dict[str, Any] = {}
        for load in loads:
            parts, keywords = parts + load.parts, {**keywords, **load.keywords}
        return cls(parts, keywords)

    def faster(self, speed: float) -> Load:
        """The same along a quicker clock."""
        keywords = dict(self.keywords)
        for name in keywords.keys() & {"ramp", "pause"}:
            keywords[name] = said_duration(duration(keywords[name]) / speed)
        if "replay" in keywords:
            keywords["speed"] = keywords.get("speed", 1) * speed
        return replace(self, parts=tuple(part.faster(speed) for part in self.parts), keywords=keywords)


class LoadError(ValueError):
    """Something is wrong with a load; `problems` has all of it, as (keyword or nothing, what is wrong)."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{key}: {problem}" if key else problem for key, problem in problems))
        self.problems = problems


def parse(keywords: Mapping[str, Any], kinds: Kinds) -> Load:
    """Read a load from keywords, such as ``{"cpu": "75%", "ramp": "5s"}``.

    Raises:
        LoadError: With everything that is wrong, not only the first.
    """
    if "engine" in keywords:
        from pytest_twin.model.engine import of_engine

        return of_engine(keywords)
    problems: list[tuple[str, str]] = []
    values: dict[str, Any] = {}
    for name, raw in keywords.items():
        try:
            if name in kinds:
                values[name] = read_amount(kinds[name], raw)
            elif name in MODIFIERS:
                values[name] = MODIFIERS[name].read(raw)
            else:
                problems.append(("", unknown(name, [*kinds, *MODIFIERS], "keyword")))
        except ValueError as error:
            problems.append((name, str(error)))
    chosen = [name for name in keywords if name in kinds]
    problems += _misplaced(keywords, [kinds[name] for name in chosen])
    if problems:
        raise LoadError(problems)
    parts = (_part(kinds[name], str(keywords[name]), values[name], values) for name in chosen)
    return Load(tuple(part for part in parts if part is not None), dict(keywords))


def read_amount(kind: Kind, raw: object) -> Amount:
    """Read an amount of this kind of load.

    Raises:
        ValueError: It is none; the message says what may be written.
    """
    try:
        value, unit = amount(raw)
    except ValueError as error:
        text = str(error)
        raise ValueError(f"{text}; give {kind.amounts}" if text.endswith("is not an amount") else text) from None
    if unit == COUNT and kind.bare is not None:
        unit, one = kind.bare
        if unit == COUNT and value != int(value):
            raise ValueError(f"{raw} is not a whole number; give {kind.amounts}")
        if unit == COUNT and value > kind.most:
            raise ValueError(f"{raw} is too many; give at most {kind.most}")
        value *= one
    if unit not in kind.units:
        raise ValueError(f"{raw!r} has no unit that fits; give {kind.amounts}")
    return Amount(value, unit)


def unknown(word: str, known: Iterable[str], what: str = "key") -> str:
    """What to say of a word that nobody knows."""
    near = difflib.get_close_matches(word, known, n=1)
    hint = f'did you mean "{near[0]}"?' if near else f"known are {', '.join(sorted(known))}"
    return f'unknown {what} "{word}"; {hint}'


def _misplaced(keywords: Mapping[str, Any], chosen: list[Kind]) -> list[tuple[str, str]]:
    """Modifiers that nothing here understands."""
    understood = {name for kind in chosen for name in kind.modifiers}
    strangers = [name for name in keywords if name in MODIFIERS and name not in _FOR_ALL and name not in understood]
    problems = [(name, MODIFIERS[name].help.replace(": ", " only: ")) for name in strangers]
    if "steps" in keywords and "ramp" not in keywords:
        problems.append(("steps", "needs a ramp, the time in which to take them"))
    return problems


def _part(kind: Kind, text: str, asked: Amount, values: Mapping[str, Any]) -> Part | None:
    if asked.value == 0 and asked.unit != MAX:
        return None
    profile = _grown(asked.value, values.get("ramp", 0.0), values.get("steps"))
    options = {name: values[name] for name in kind.modifiers if name in values}
    return Part(kind, text, asked.unit, tuple(profile), options)


def _grown(value: float, ramp: float, steps: int | None) -> Points:
    if ramp <= 0:
        return [(0.0, value)]
    if steps is None:
        return [(0.0, 0.0), (ramp, value)]
    points: Points = [(0.0, value / steps)]
    for step in range(1, steps):
        at = ramp * step / steps
        points += [(at, value * step / steps), (at, value * (step + 1) / steps)]
    return points
