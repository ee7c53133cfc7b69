"""What to apply, as data: one grammar for marker, fixture, schedule and command line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pytest_twin.model import stages
from pytest_twin.model.conditions import Condition
from pytest_twin.model.modifiers import FOR_ALL, GUARDS, MODIFIERS
from pytest_twin.model.quantity import Amount, amount, duration, said_bytes, said_duration
from pytest_twin.model.quoting import quoted, shortened
from pytest_twin.stressors.kind import BYTES, COUNT, MAX, OPS, SHARE, Kind

Kinds = Mapping[str, Kind]


@dataclass(frozen=True)
class Part:
    """The load of one kind.

    Attributes:
        kind: The stressor that applies it.
        text: The amount as it was written.
        unit: The unit of the profile's values, one of `pytest_twin.stressors.kind`.
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

    @property
    def peak(self) -> float:
        """The highest value of its profile."""
        return max(value for _, value in self.profile)

    @property
    def said_peak(self) -> str:
        """The same for people: it is a share, or bytes a second."""
        return f"{self.peak:.0%}" if self.unit == SHARE else f"{self.peak / 1e6:.4g}MB/s"

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
            whole = usable.get(self.kind.measure) or achieved.get(f"of_{self.kind.measure}")
            return f"{figure / whole:.1%}" if whole else ""
        if self.unit == COUNT:
            return f"{figure:.2f} cores" if self.kind.measure == "cpu_s" else f"{figure:.0f}"
        if OPS in self.kind.units:
            return f"{figure / held_s:.1f}/s"
        if self.unit == BYTES:
            return said_bytes(figure, like=self.text)
        return f"{figure / held_s / 1e6:.1f}MB/s"


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

    @property
    def peaks(self) -> list[str]:
        """The most that a recording asks for, of each kind; what was written as keywords says so itself."""
        return [f"{part.kind.keyword} {part.said_peak}" for part in self.parts] if "replay" in self.keywords else []

    @classmethod
    def together(cls, loads: Iterable[Load]) -> Load:
        """One load of several."""
        parts: tuple[Part, ...] = ()
        keywords: dict[str, Any] = {}
        for load in loads:
            parts, keywords = parts + load.parts, {**keywords, **load.keywords}
        return cls(parts, keywords)

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
    parts = []
    for name in (name for name in chosen if name in values):
        try:
            parts.append(_part(kinds[name], str(keywords[name]), values[name], values))
        except ValueError as error:
            problems.append(("stages", f"{name}: {error}"))
    if problems:
        raise LoadError(problems)
    load = Load(tuple(part for part in parts if part is not None), dict(keywords))
    guards = {name: values[name] for name in GUARDS if name in values}
    return load.guarded(**guards) if guards else load


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
            raise ValueError(f"{shortened(str(raw))} is not a whole number; give {kind.amounts}")
        if unit == COUNT and value > kind.most:
            raise ValueError(f"{shortened(str(raw))} is too many; give at most {kind.most}")
        value *= one
    if unit not in kind.units:
        raise ValueError(f"{quoted(raw)} has no unit that fits; give {kind.amounts}")
    return Amount(value, unit)


def unknown(word: str, known: Iterable[str], what: str = "key") -> str:
    """What to say of a word that nobody knows."""
    word = shortened(word)  # which is all that can be compared in no time
    near = difflib.get_close_matches(word, known, n=1)
    hint = f'did you mean "{near[0]}"?' if near else f"known are {', '.join(sorted(known))}"
    return f'unknown {what} "{word}"; {hint}'


def _misplaced(keywords: Mapping[str, Any], chosen: list[Kind]) -> list[tuple[str, str]]:
    """Modifiers that nothing here understands."""
    understood = {name for kind in chosen for name in kind.modifiers}
    strangers = [name for name in keywords if name in MODIFIERS and name not in FOR_ALL and name not in understood]
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
            raise ValueError(f'"{shortened(text)}" has amounts that cannot change over time')
    if unit != MAX and not any(value for _, value in profile):
        return None
    options = {name: values[name] for name in kind.modifiers if name in values}
    return Part(kind, text, unit, tuple(profile), options)
