"""What to apply, as data: one grammar for marker, fixture, schedule and command line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pytest_twin.loads import stages
from pytest_twin.loads.stop_conditions import Condition
from pytest_twin.model.quantity import duration, said_bytes, said_duration
from pytest_twin.stressors.spec.kind import BYTES, COUNT, OPS, SHARE, Kind
from pytest_twin.stressors.spec.request import LoadRequest

Kinds = Mapping[str, Kind]


@dataclass(frozen=True)
class LoadPart:
    """The load of one kind.

    Attributes:
        kind: The stressor that applies it.
        text: The amount as it was written.
        unit: The unit of the profile's values, one of `pytest_twin.stressors.spec.kind`.
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

    def faster(self, speed: float) -> LoadPart:
        """The same along a quicker clock: amounts and rates stay, times shrink."""
        options = {name: value / speed if name == "pause" else value for name, value in self.options.items()}
        return replace(self, profile=tuple((at / speed, value) for at, value in self.profile), options=options)

    def request(
        self,
        id: str = "",  # noqa: A002 - as the column is called
        *,
        start: float | None = None,
        duration: float | None = None,
        seed: int = 0,
    ) -> LoadRequest:
        """Return the request for this load; the arguments are as in `LoadRequest`."""
        return LoadRequest(
            id=id,
            module=self.kind.module,
            unit=self.unit,
            profile=self.profile,
            options={**self.options, "strict": self.strict},
            stop_when=self.stop_when,
            start=start,
            duration=duration,
            seed=seed,
        )

    @property
    def peak(self) -> float:
        """The highest value of its profile."""
        return max(value for _, value in self.profile)

    @property
    def said_peak(self) -> str:
        """The same for people: it is a share, or bytes a second."""
        return f"{self.peak:.0%}" if self.unit == SHARE else f"{self.peak / 1e6:.4g}MB/s"

    def format_achieved(self, achieved: Mapping[str, Any], held_s: float, usable: Mapping[str, float]) -> str:
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

    parts: tuple[LoadPart, ...] = ()
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
        parts: tuple[LoadPart, ...] = ()
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
