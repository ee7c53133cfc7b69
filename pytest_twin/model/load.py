"""What to apply, as data: one grammar for marker, fixture, schedule and command line."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pytest_twin.model import stages
from pytest_twin.model.conditions import SCHEMA as CONDITION_SCHEMA
from pytest_twin.model.conditions import Condition, conditions
from pytest_twin.model.quantity import Amount, amount, duration, said_bytes, said_duration, size
from stressors.cpu_methods import METHODS
from stressors.kind import BYTES, COUNT, MAX, SHARE, Kind

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


def _pattern(raw: object) -> float:
    """The part of the bytes that is read; the rest is written."""
    name, colon, share = raw.partition(":") if isinstance(raw, str) else ("", "", "")
    if name in _READ_SHARES and not colon:
        return _READ_SHARES[name]
    if name == "mixed" and share.isdecimal() and len(share) <= 3 and int(share) <= 100:
        return int(share) / 100
    raise ValueError(f'{raw!r} is no pattern; give "write", "read", "mixed", or "mixed:70" where 70 % is read')


def _access(raw: object) -> str:
    if not isinstance(raw, str) or raw not in {"sequential", "random"}:
        raise ValueError(f'{raw!r} is no order of access; give "sequential" or "random"')
    return raw


def _method(raw: object) -> str:
    if not isinstance(raw, str) or raw not in METHODS:
        raise ValueError(f"{raw!r} is not one of {', '.join(METHODS)}")
    return raw


@dataclass(frozen=True)
class Modifier:
    """A keyword that says how a load is applied, not how much."""

    read: Callable[[object], Any]
    help: str
    schema: Mapping[str, Any]


_READ_SHARES = {"write": 0.0, "read": 1.0, "mixed": 0.5}
DURATION_SCHEMA = {"type": ["string", "number"]}
MODIFIERS = {
    "ramp": Modifier(duration, "time in which the load grows to its amount", DURATION_SCHEMA),
    "steps": Modifier(_steps, "grow in so many steps, not smoothly", {"type": "integer"}),
    "stages": Modifier(
        stages.read,
        "amounts to go to in straight lines from the first one, each over its time: 10s:20%, 30s:80%",
        {"type": ["string", "array"]},
    ),
    "method": Modifier(_method, "cpu, cpu_total: what the time is burnt with", {"enum": list(METHODS)}),
    "pattern": Modifier(
        _pattern,
        "disk: write, read, mixed (half and half), or mixed:70 where 70 % is read",
        {"type": "string"},
    ),
    "access": Modifier(
        _access, "disk: sequential, or random places of a file", {"type": "string", "enum": ["sequential", "random"]}
    ),
    "block": Modifier(size, "disk: bytes a write or read", {"type": "string"}),
    "fsync": Modifier(size, "disk: wait each so many bytes until they are on the disk", {"type": "string"}),
    "pause": Modifier(duration, "disk: time between two blocks of an amount", DURATION_SCHEMA),
    "loop": Modifier(_switch, "disk: write the amount again and again", {"type": "boolean"}),
    "huge": Modifier(_switch, "mem: in huge pages", {"type": "boolean"}),
    "directory": Modifier(_directory, "disk: where to write; the file has no name", {"type": "string"}),
    "stop_when": Modifier(conditions, "stop when a sample shows this, such as ram_used_percent>95", CONDITION_SCHEMA),
    "strict": Modifier(_switch, "less than was asked is a failure", {"type": "boolean"}),
}
GUARDS = ("stop_when", "strict")
_FOR_ALL = ("ramp", "steps", "stages", *GUARDS)


@dataclass(frozen=True)
class Part:
    """The load of one kind.

    Attributes:
        kind: The stressor that applies it.
        text: The amount as it was written.
        unit: The unit of the profile's values, one of `stressors.kind`.
        profile: Points of (seconds, value), straight between, the last one held.
        options: What else the stressor is told.
        stop_when: What a sample has to show for it to be stopped; the first of these that it shows is enough.
        strict: Whether less than was asked is a failure.
    """

    kind: Kind
    text: str
    unit: str
    profile: tuple[tuple[float, float], ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    stop_when: tuple[Condition, ...] = ()
    strict: bool = False

    def __str__(self) -> str:
        return f"{self.kind.keyword}={self.text}"

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
            "options": {**self.options, "strict": self.strict},
            "stop_when": self.stop_when,
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
        if self.kind.measure.endswith("cpu_s"):
            figure /= held_s
        if self.unit == SHARE:
            whole = usable.get(self.kind.measure)
            return f"{figure / whole:.1%}" if whole else ""
        if self.unit == COUNT:
            return f"{figure:.2f} cores" if self.kind.measure == "cpu_s" else f"{figure:g}"
        if self.unit == BYTES:
            return said_bytes(figure, like=self.text)
        return (
            f"{figure / (achieved.get('moving_s') or held_s) / 1e6:.1f}MB/s"  # a file is made before, and deleted after
        )


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

    def guarded(self, stop_when: tuple[Condition, ...] = (), strict: bool = False) -> Load:
        """The same, stopped by these conditions, and all of it or a failure."""
        return replace(self, parts=tuple(replace(part, stop_when=stop_when, strict=strict) for part in self.parts))

    def faster(self, speed: float) -> Load:
        """The same along a quicker clock."""
        keywords = dict(self.keywords)
        for name in keywords.keys() & {"ramp", "pause"}:
            keywords[name] = said_duration(duration(keywords[name]) / speed)
        if "stages" in keywords:
            keywords["stages"] = stages.said(stages.read(keywords["stages"]), speed)
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
    parts = []
    for name in (name for name in chosen if name in values):
        try:
            parts.append(_part(kinds[name], str(keywords[name]), values[name], values))
        except ValueError as error:
            problems.append(("stages", f"{name}: {error}"))
    if problems:
        raise LoadError(problems)
    load = Load(tuple(part for part in parts if part is not None), dict(keywords))
    return load.guarded(**{name: values[name] for name in GUARDS if name in values})


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
        if unit == COUNT and value > 10_000:
            raise ValueError(f"{raw} is too many; give at most 10000")
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
    if "stages" in keywords and "ramp" in keywords:
        problems.append(("stages", "has its own ramps; leave out ramp, or make it the first stage"))
    return problems


def _part(kind: Kind, text: str, asked: Amount, values: Mapping[str, Any]) -> Part | None:
    unit, profile = asked.unit, stages.grown(asked.value, values.get("ramp", 0.0), values.get("steps"))
    if "stages" in values:
        profile, unit = stages.staged(asked, values["stages"], lambda raw: read_amount(kind, raw))
        text = f"{text}, {stages.said(values['stages'])}"
        if unit in {MAX, *kind.fixed}:
            raise ValueError(f'"{text}" has amounts that cannot change over time')
    if unit != MAX and not any(value for _, value in profile):
        return None
    options = {name: values[name] for name in kind.modifiers if name in values}
    return Part(kind, text, unit, tuple(profile), options)
