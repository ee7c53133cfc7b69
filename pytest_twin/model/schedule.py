"""Schedules: loads with start offsets and durations, read with every error that is in them."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

from pytest_twin.model import legacy
from pytest_twin.model.load import MODIFIERS, Kinds, Load, LoadError, parse, unknown
from pytest_twin.model.quantity import LONGEST_S, duration, said_duration
from pytest_twin.model.replay import replayed
from pytest_twin.model.table import visible

SESSION, TEST = "session", "test"
PARALLEL, SERIES = "parallel", "series"
MOST_EVENTS = 100_000

Rows = Sequence[Mapping[str, str]]
ReadRecording = Callable[[str], Rows]


@dataclass(frozen=True)
class Planned:
    """One event of a schedule, with its time worked out.

    Attributes:
        id: Its name in annotations.csv.
        start_s: Seconds after the anchor.
        duration_s: Seconds that it lasts.
        load: What to apply.
        tests: A pattern of node ids: apply it only while such a test runs; empty for always.
        note: Free text that goes into the detail of its rows (a legacy event's own type).
    """

    id: str
    start_s: float
    duration_s: float
    load: Load
    tests: str = ""
    note: str = ""

    @property
    def end_s(self) -> float:
        """Seconds after the anchor at which it ends."""
        return self.start_s + self.duration_s


@dataclass(frozen=True)
class Schedule:
    """A timeline of loads, in the order of their starts.

    Attributes:
        events: What to apply, and when.
        anchor: ``session``: played once, from the first test on. ``test``: around each test that it selects.
        mode: ``parallel`` or ``series``, already worked into the times.
        seed: Makes what is drawn at random repeatable.
    """

    events: tuple[Planned, ...]
    anchor: str = SESSION
    mode: str = PARALLEL
    seed: int = 0

    @property
    def duration_s(self) -> float:
        """Seconds from the anchor to the last end."""
        return max((event.end_s for event in self.events), default=0.0)

    def faster(self, speed: float) -> Schedule:
        """The same timeline so many times faster; the amounts stay as they are."""
        events = (
            replace(
                event, start_s=event.start_s / speed, duration_s=event.duration_s / speed, load=event.load.faster(speed)
            )
            for event in self.events
        )
        return replace(self, events=tuple(events))

    def in_series(self) -> Schedule:
        """The same events one after another, in the order of their starts."""
        events, at = [], 0.0
        for event in self.events:
            events.append(replace(event, start_s=at))
            at += event.duration_s
        return replace(self, events=tuple(events), mode=SERIES)

    def document(self) -> dict[str, Any]:
        """The schedule as `read` takes it, with every time worked out."""
        events = [
            {
                "id": event.id,
                "start": said_duration(event.start_s),
                "duration": said_duration(event.duration_s),
                **event.load.keywords,
                **({"tests": event.tests} if event.tests else {}),
                **({"note": event.note} if event.note else {}),
            }
            for event in self.events
        ]
        return {"version": 1, "anchor": self.anchor, "mode": self.mode, "seed": self.seed, "events": events}


class ScheduleError(ValueError):
    """A schedule is wrong; `problems` has one line for each thing, with its place."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def read(text: str, name: str, kinds: Kinds, recording: ReadRecording) -> Schedule:
    """Read a schedule from the text of a JSON file, a TOML file (by its name), or a legacy list.

    Args:
        text: What stands in the file.
        name: The file's name, which begins every error line.
        kinds: The stressors there are.
        recording: Gives the rows of a recording that an event replays; may raise OSError.

    Raises:
        ScheduleError: With all that is wrong.
    """
    try:
        document = tomllib.loads(text) if name.endswith(".toml") else _json(text)
    except RecursionError:
        raise ScheduleError([f"{name}: is nested too deeply"]) from None
    except ValueError as error:
        raise ScheduleError([f"{name}: {str(error).splitlines()[0]}"]) from None
    reading = _Reading(name, kinds, recording)
    schedule = reading.legacy(document) if isinstance(document, list) else reading.schedule(document)
    if reading.problems:
        raise ScheduleError(reading.problems)
    return schedule


@dataclass
class _Draft:
    """An event whose time is not worked out yet."""

    place: str
    id: str
    start: float
    lasts: float
    load: Load
    after: str | None
    tests: str
    note: str
    every: float = 0.0
    count: int = 1

    def names(self) -> list[str]:
        """The ids of the event and of its repetitions."""
        return [self.id, *(f"{self.id}#{turn}" for turn in range(2, self.count + 1))]


@dataclass
class _Reading:
    """One pass over one document; what is wrong is collected, and reading goes on."""

    name: str
    kinds: Kinds
    recording: ReadRecording
    problems: list[str] = field(default_factory=list)

    def wrong(self, place: str, problem: str) -> None:
        self.problems.append(visible(f"{self.name}: {place}{': ' if place else ''}{problem}"))

    def value(self, event: Mapping[str, Any], place: str, key: str, default: Any) -> Any:
        """One field, read by its own reader; the default where it is absent or wrong."""
        if key not in event:
            return default
        try:
            return _EVENT[key].read(event[key])
        except ValueError as error:
            self.wrong(f"{place}.{key}", str(error))
            return default

    def schedule(self, document: object) -> Schedule:
        """The document of today's form."""
        if not isinstance(document, dict):
            self.wrong("", "is not an object with events, nor a legacy list")
            return Schedule(())
        top: dict[str, Any] = {"anchor": SESSION, "mode": PARALLEL, "seed": 0}
        for key, raw in document.items():
            try:
                if key not in _TOP:
                    self.wrong("", unknown(key, _TOP))
                elif key != "events":
                    top[key] = _TOP[key].read(raw)
            except ValueError as error:
                self.wrong(key, str(error))
        events = document.get("events")
        if not isinstance(events, list) or len(events) > MOST_EVENTS:
            self.wrong("events", f"must be a list of at most {MOST_EVENTS} events")
            events = []
        drafts = [draft for at, event in enumerate(events) if (draft := self.event(at, event)) is not None]
        planned = sorted(self.placed(drafts), key=lambda event: event.start_s)
        schedule = Schedule(tuple(planned), top["anchor"], PARALLEL, top["seed"])
        return schedule.in_series() if top["mode"] == SERIES else schedule

    def event(self, at: int, event: object) -> _Draft | None:
        """One event as it stands."""
        place = f"events[{at}]"
        if not isinstance(event, dict):
            self.wrong(place, "is not an object")
            return None
        words = {key: raw for key, raw in event.items() if key not in _EVENT}
        strangers = [key for key in words if key not in self.kinds and key not in MODIFIERS]
        for key in strangers:
            self.wrong(place, unknown(key, [*_EVENT, *self.kinds, *MODIFIERS]))
            del words[key]
        load, lasts = self.load(place, event, words, sure=not strangers)
        repeat = self.value(event, place, "repeat", {"every": 0.0, "count": 1})
        if lasts is None and "duration" not in event:
            self.wrong(place, 'has no duration; write one such as "30s"')
        return _Draft(
            place=place,
            id=self.value(event, place, "id", f"e{at + 1}"),
            start=self.value(event, place, "start", 0.0),
            lasts=self.value(event, place, "duration", lasts or 0.0),
            load=load,
            after=self.value(event, place, "after", None),
            tests=self.value(event, place, "tests", ""),
            note=self.value(event, place, "note", ""),
            **repeat,
        )

    def load(
        self, place: str, event: Mapping[str, Any], words: dict[str, Any], *, sure: bool
    ) -> tuple[Load, float | None]:
        """What an event applies, and how long that is by itself where it says so (a recording does).

        Where a key is unknown it is not `sure` that an event without a load was meant to have none.
        """
        if "replay" in event:
            if words:
                self.wrong(place, f"has both replay and {', '.join(words)}; make two events of it")
            return self.replay(place, event)
        if "speed" in event:
            self.wrong(f"{place}.speed", "is for a replay")
        if not words.keys() & self.kinds.keys():
            if sure:
                self.wrong(place, f"applies nothing; give {', '.join(self.kinds)} or replay")
            return Load(), None
        try:
            return parse(words, self.kinds), None
        except LoadError as error:
            for key, problem in error.problems:
                self.wrong(f"{place}.{key}", problem)
            return Load(), None

    def replay(self, place: str, event: Mapping[str, Any]) -> tuple[Load, float | None]:
        """The load that a recording shows."""
        path = self.value(event, place, "replay", "")
        speed = self.value(event, place, "speed", 1.0)
        if not path:
            return Load(), 0.0
        try:
            load, lasts = replayed(self.recording(path), path, self.kinds)
        except (OSError, ValueError) as error:
            self.wrong(f"{place}.replay", f"{path}: {getattr(error, 'strerror', None) or error}")
            return Load(), 0.0
        if not lasts / speed <= LONGEST_S:
            self.wrong(f"{place}.replay", f"{path}: is longer than a year at this speed")
            return Load(), 0.0
        given = {"speed": event["speed"]} if "speed" in event else {}
        return replace(load.faster(speed), keywords={"replay": path, **given}), lasts / speed

    def placed(self, drafts: list[_Draft]) -> Iterator[Planned]:
        """Events with their times worked out: repeated, and behind those that they follow."""
        named = {draft.id: draft for draft in reversed(drafts)}
        taken: dict[str, _Draft] = {}
        if sum(draft.count for draft in drafts) > MOST_EVENTS:
            self.wrong("events", f"are more than {MOST_EVENTS} with their repetitions")
            return
        for draft in drafts:
            for name in draft.names():
                if (first := taken.setdefault(name, draft)) is not draft:
                    self.wrong(f"{draft.place}.id", f'"{name}" is taken by {first.place}')
        starts: dict[str, float] = {}
        for draft in drafts:
            start = self.start(draft, named, starts)
            if start + (draft.count - 1) * draft.every > LONGEST_S:
                self.wrong(f"{draft.place}.start", "comes to more than a year after the anchor")
            for turn, name in enumerate(draft.names()):
                yield Planned(name, start + turn * draft.every, draft.lasts, draft.load, draft.tests, draft.note)

    def start(self, draft: _Draft, named: Mapping[str, _Draft], starts: dict[str, float]) -> float:
        """When an event starts; those that it follows, one behind the other, are worked out first."""
        chain, links = [draft], {draft.id}
        while chain[-1].id not in starts and chain[-1].after is not None:
            before = named.get(chain[-1].after)
            if before is None:
                self.wrong(f"{chain[-1].place}.after", f'there is no event "{chain[-1].after}"')
                break
            if before.id in links:
                self.wrong(f"{draft.place}.after", f'"{before.id}" comes after itself')
                break
            chain.append(before)
            links.add(before.id)
        for link in reversed(chain):
            first = named.get(link.after or "")
            begins = (
                starts[first.id] + first.every * (first.count - 1) + first.lasts
                if first and first.id in starts
                else 0.0
            )
            starts.setdefault(link.id, begins + link.start)
        return starts[draft.id]

    def legacy(self, document: list[object]) -> Schedule:
        """The list of the old script collection."""
        drafts = []
        for at, event in enumerate(document):
            place = f"events[{at}]"
            try:
                drafts.append((at, legacy.read(event), place))
            except legacy.LegacyError as error:
                for key, problem in error.problems:
                    self.wrong(f"{place}.{key}" if key else place, problem)
        first = min((old.start for _, old, _ in drafts), default=None)
        events = []
        for at, old, place in drafts:
            try:
                load = parse(old.load, self.kinds)
            except LoadError as error:
                self.wrong(f"{place}.cmd", str(error))
                continue
            start = (old.start - first).total_seconds() if first else 0.0
            if start > LONGEST_S:
                self.wrong(f"{place}.start", "is more than a year after the first")
            events.append(Planned(f"e{at + 1}", start, old.duration_s, load, note=old.type))
        return Schedule(tuple(sorted(events, key=lambda event: event.start_s)))


@dataclass(frozen=True)
class _Field:
    """One key of the format: how it is read, and what the JSON Schema says of it."""

    read: Callable[[Any], Any]
    schema: Mapping[str, Any]


def _one_of(*words: object) -> _Field:
    def read_word(raw: object) -> object:
        if raw not in words or isinstance(raw, bool):
            raise ValueError(f"{raw!r} is not one of {', '.join(map(repr, words))}")
        return raw

    return _Field(read_word, {"enum": list(words)})


def _text(what: str) -> _Field:
    def read_text(raw: object) -> str:
        if not isinstance(raw, str) or not raw or len(raw) > 1000 or "\0" in raw:
            raise ValueError(f"{raw!r} is not {what}" if len(repr(raw)) < 100 else f"is not {what}")
        return raw

    return _Field(read_text, {"type": "string", "minLength": 1, "maxLength": 1000})


def _speed(raw: object) -> float:
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not 0 < raw < 1e9:
        raise ValueError(f"{raw!r} is not a number above 0")
    return float(raw)


def _whole(raw: object, least: int, most: int) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int) or not least <= raw <= most:
        raise ValueError(f"{raw!r} is not a whole number from {least} to {most}")
    return raw


def _repeat(raw: object) -> dict[str, Any]:
    if not isinstance(raw, dict) or raw.keys() != {"every", "count"}:
        raise ValueError('must be an object such as {"every": "30s", "count": 3}')
    return {"every": duration(raw["every"]), "count": _whole(raw["count"], 1, MOST_EVENTS)}


_DURATION = _Field(duration, MODIFIERS["ramp"].schema)
_SEED = _Field(lambda raw: _whole(raw, 0, 2**63 - 1), {"type": "integer", "minimum": 0})
_REPEAT = {
    "type": "object",
    "properties": {"every": _DURATION.schema, "count": {"type": "integer", "minimum": 1}},
    "required": ["every", "count"],
    "additionalProperties": False,
}
_TOP = {
    "$schema": _text("the address of a schema"),
    "version": _one_of(1),
    "anchor": _one_of(SESSION, TEST),
    "mode": _one_of(PARALLEL, SERIES),
    "seed": _SEED,
    "events": _Field(list, {"type": "array"}),
}
_EVENT = {
    "id": _text("a name"),
    "start": _DURATION,
    "duration": _DURATION,
    "after": _text("the id of an event"),
    "tests": _text("a pattern of test ids"),
    "note": _text("a note"),
    "repeat": _Field(_repeat, _REPEAT),
    "replay": _text("the path of a recording"),
    "speed": _Field(_speed, {"type": "number", "exclusiveMinimum": 0}),
}


def schema(kinds: Kinds) -> dict[str, Any]:
    """The JSON Schema of the format, from the same table that reads it."""
    amounts = {name: {"type": ["string", "number"], "description": kind.amounts} for name, kind in kinds.items()}
    modifiers = {name: {**modifier.schema, "description": modifier.help} for name, modifier in MODIFIERS.items()}
    event = {
        "type": "object",
        "properties": {**{key: dict(entry.schema) for key, entry in _EVENT.items()}, **amounts, **modifiers},
        "additionalProperties": False,
    }
    top = {key: dict(entry.schema) for key, entry in _TOP.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "pytest-twin schedule",
        "type": "object",
        "properties": {**top, "events": {"type": "array", "items": event, "maxItems": MOST_EVENTS}},
        "required": ["events"],
        "additionalProperties": False,
    }


def _json(text: str) -> object:
    """JSON without what it should not have: keys twice, NaN and Infinity."""

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        keys = [key for key, _ in pairs]
        twice = next((key for key in keys if keys.count(key) > 1), None) if len(set(keys)) < len(keys) else None
        if twice is not None:
            raise ValueError(f'key "{twice}" stands twice in one object')
        return dict(pairs)

    def no_constant(word: str) -> NoReturn:
        raise ValueError(f"{word} is not a number of JSON")

    return json.loads(text, object_pairs_hook=once, parse_constant=no_constant)
