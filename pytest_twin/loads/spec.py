"""Loads as data: what to apply, one part a kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from pytest_twin.loads import stages
from pytest_twin.loads.modifiers import StopCondition
from pytest_twin.model.quantity import format_bytes, format_duration, parse_duration
from pytest_twin.stressors.constraint.enforcer import KIND as CONSTRAINT
from pytest_twin.stressors.constraint.samples import DEFAULT_PERIOD_S
from pytest_twin.stressors.spec.kind import BYTES, COUNT, OPS, SHARE, Kind
from pytest_twin.stressors.spec.request import REPLAY, LoadRequest

Kinds = Mapping[str, Kind]


@dataclass(frozen=True)
class LoadPart:
    """The load of one kind.

    Attributes:
        kind: The stressor that applies it.
        text: The amount as it was written.
        unit: The unit of the profile's values, one of `pytest_twin.stressors.spec.kind`.
        profile: Points of (seconds, value) with straight lines between them; the last value is held.
        options: The modifiers of the load by name.
        stop_when: Conditions on samples; the first that holds stops the load.
        strict: Whether it fails if less than requested is achieved.
    """

    kind: Kind
    text: str
    unit: str
    profile: tuple[tuple[float, float], ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    stop_when: tuple[StopCondition, ...] = ()
    strict: bool = False

    def __str__(self) -> str:
        return f"{self.kind.keyword} {self.text}" if self.is_constraint else f"{self.kind.keyword}={self.text}"

    @property
    def is_constraint(self) -> bool:
        """Whether it takes machine away from the tests, and adds no load."""
        return self.kind is CONSTRAINT

    @property
    def must_hold(self) -> bool:
        """Whether its test fails without it: a strict load, and a constraint, without which the test shows nothing."""
        return self.strict or self.is_constraint

    def faster(self, speed: float) -> LoadPart:
        """Return the same load with all times divided by `speed`; amounts and rates stay."""
        if speed == 1:  # the profile of a long recording takes megabytes
            return self
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
    def ramp_s(self) -> float:
        """The seconds until it requests its whole amount; 0 where it does so from the start, or not until its end."""
        is_rising = all(low <= high for (_, low), (_, high) in pairwise(self.profile))
        return self.profile[-1][0] if is_rising and REPLAY not in self.options else 0.0

    @property
    def peak(self) -> float:
        """The highest value of the profile."""
        return max(value for _, value in self.profile)

    @property
    def peak_text(self) -> str:
        """The highest value as text, of a profile of shares or of bytes a second."""
        return f"{self.peak:.0%}" if self.unit == SHARE else f"{self.peak / 1e6:.4g}MB/s"

    def format_achieved(self, achieved: Mapping[str, Any], held_s: float, usable: Mapping[str, float]) -> str:
        """Return the achieved amount as text, in the unit that was requested; empty where it is not known.

        Args:
            achieved: Figures of the stressor, added up over its workers.
            held_s: Seconds between ready and end.
            usable: For each measure the amount that is 100 %: CPUs, bytes of memory.
        """
        figure = achieved.get(self.kind.measure)
        if figure is None or held_s <= 0:
            return ""
        if self.is_constraint:
            peak_bytes = achieved.get("peak_bytes") if "mem" in self.options else None
            return self._format_used(figure, held_s, peak_bytes)
        return self._format_applied(figure, achieved, held_s, usable)

    def _format_applied(
        self, figure: float, achieved: Mapping[str, Any], held_s: float, usable: Mapping[str, float]
    ) -> str:
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
            return format_bytes(figure, like=self.text)
        return f"{figure / held_s / 1e6:.1f}MB/s"

    def _format_used(self, cpu_s: float, held_s: float, peak_bytes: float | None) -> str:
        """Return what the tests used of what this constraint limits: CPUs, memory, or both.

        In less than a period they may use the time of a whole one, so their CPUs are not known.
        """
        is_of_cpus = bool({"cpu", "cpus"} & self.options.keys())
        is_known = held_s >= max(DEFAULT_PERIOD_S, self.options.get("period", 0.0))
        used = [f"{max(0.0, cpu_s / held_s):.3f} CPUs"] if is_of_cpus and is_known else []
        return ", ".join([*used, *([] if peak_bytes is None else [format_bytes(peak_bytes)])])


@dataclass(frozen=True)
class Load:
    """A load of one or several kinds; empty where every amount is zero.

    Attributes:
        parts: The loads, one a kind; constraints are last.
        keywords: The keywords that it was written as, for schedule.json and for people.
    """

    parts: tuple[LoadPart, ...] = ()
    keywords: Mapping[str, Any] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.parts)

    @property
    def adds_load(self) -> bool:
        """Whether it applies a load to the machine, and not only a constraint to the tests."""
        return not all(part.is_constraint for part in self.parts)

    @property
    def is_steady(self) -> bool:
        """Whether it is the same from its start to its end, so that it may be held over several runs of a test."""
        return not any(len(part.profile) > 1 or part.stop_when or part.must_hold for part in self.parts)

    @property
    def has_constraints(self) -> bool:
        """Whether it takes something away from the tests."""
        return any(part.is_constraint for part in self.parts)

    def only(self, *, constraints: bool) -> Load:
        """Return either its constraints or the rest."""
        parts = tuple(part for part in self.parts if part.is_constraint == constraints)
        keywords = {name: raw for name, raw in self.keywords.items() if (name == CONSTRAINT.keyword) == constraints}
        return replace(self, parts=parts, keywords=keywords)

    def __str__(self) -> str:
        """Return its keywords as text, such as ``cpu=75%``, those of a constraint behind ``constrain``."""
        written = [f"{name}={_text(value)}" for name, value in self.keywords.items() if name != CONSTRAINT.keyword]
        return " ".join([*written, *(str(part) for part in self.parts if part.is_constraint)])

    @property
    def peak_texts(self) -> list[str]:
        """For a replay the highest amount of each kind; other loads state it in their keywords."""
        if "replay" not in self.keywords:
            return []
        reads = [" read" if part.options.get("pattern") == 1 else "" for part in self.parts]
        return [f"{part.kind.keyword}={part.peak_text}{read}" for part, read in zip(self.parts, reads, strict=True)]

    @classmethod
    def merged(cls, loads: Iterable[Load]) -> Load:
        """Return one load with the parts of several, constraints last, so that they begin when the loads are ready."""
        parts: tuple[LoadPart, ...] = ()
        keywords: dict[str, Any] = {}
        for load in loads:
            parts, keywords = parts + load.parts, {**keywords, **load.keywords}
        return cls(tuple(sorted(parts, key=lambda part: part.is_constraint)), keywords)

    def with_guards(self, stop_when: tuple[StopCondition, ...] = (), strict: bool = False) -> Load:
        """Return the same load with these conditions to stop it, and strict or not."""
        return replace(self, parts=tuple(replace(part, stop_when=stop_when, strict=strict) for part in self.parts))

    def faster(self, speed: float) -> Load:
        """Return the same load with all times divided by `speed`."""
        keywords = dict(self.keywords)
        for name in keywords.keys() & {"ramp", "pause"}:
            keywords[name] = format_duration(parse_duration(keywords[name]) / speed)
        if "stages" in keywords:
            keywords["stages"] = stages.faster_stages(keywords["stages"], speed)
        if "replay" in keywords:
            keywords["speed"] = keywords.get("speed", 1) * speed
        return replace(self, parts=tuple(part.faster(speed) for part in self.parts), keywords=keywords)


def _text(value: Any) -> str:
    """Return the value of a keyword as people write it: ``true``, stages ``10s:20%, 30s:80%``."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return f"({'; '.join(f'{name}={_text(each)}' for name, each in value.items())})"
    if isinstance(value, list | tuple):
        return ", ".join(":".join(map(str, each)) if isinstance(each, list | tuple) else str(each) for each in value)
    return str(value)


class LoadError(ValueError):
    """A load is invalid.

    Attributes:
        problems: All problems as (keyword, problem); the keyword may be empty.
    """

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{key}: {problem}" if key else problem for key, problem in problems))
        self.problems = problems
