"""Parse a schedule and report all of its errors, each with its place."""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, NamedTuple

from pytest_twin.loads.modifiers import GUARDS, MODIFIERS
from pytest_twin.loads.parser import parse_load
from pytest_twin.loads.schedule import SESSION, legacy
from pytest_twin.loads.schedule.replay import Replay, replay_of
from pytest_twin.loads.schedule.schedule import (
    MOST_EVENTS,
    PARALLEL,
    SERIES,
    Schedule,
    ScheduledLoad,
    ScheduleError,
)
from pytest_twin.loads.schedule.schema import EVENT_FIELDS, REPLAY_FIELDS, SCHEDULE_FIELDS, WINDOW_FIELDS
from pytest_twin.loads.schedule.window import TOO_MANY, Window, cut_recording
from pytest_twin.loads.spec import Kinds, Load, LoadError
from pytest_twin.loads.stress_ng import ENGINE
from pytest_twin.model import documents
from pytest_twin.model.csv_text import visible
from pytest_twin.model.demand_change import DemandChange
from pytest_twin.model.error_text import MOST_KNOWN, suggestion, unknown
from pytest_twin.model.machine_formats.parser import RecordingError
from pytest_twin.model.machine_recording import MachineRecording
from pytest_twin.model.quantity import LONGEST_S
from pytest_twin.stressors.constraint import KEYWORD as CONSTRAIN

ReadRecording = Callable[[str], MachineRecording]
MAX_PROBLEMS = 100

_YAML = re.compile(
    r"(?:\s*#.*\n)*(?:---|\s*-?\s*(?:version|anchor|mode|seed|events|start|duration|cpu|type|cmd):(?:\s|$))"
)
_TOML = re.compile(r"(?:\s*#.*\n)*\s*(?:\[\[events\]\]|(?:version|anchor|mode|seed|events)\s*=)")


def parse_schedule(text: str, name: str, kinds: Kinds, read_recording: ReadRecording) -> Schedule:
    """Parse a schedule: a JSON or (by its name) a TOML file, or a legacy list.

    Args:
        text: The text of the file.
        name: The name of the file, with which every error begins.
        kinds: The installed kinds of load.
        read_recording: Returns a recording that an event replays, by its path; may raise `OSError` or `RecordingError`.

    Raises:
        ScheduleError: The schedule is invalid; with all problems.
    """
    try:
        document = documents.parse_toml(text) if name.endswith(".toml") else documents.parse_json(text)
    except ValueError as error:
        raise ScheduleError([visible(f"{name}: {_format_advice(text, name) or error}")]) from None
    parser = _Parser(name, kinds, read_recording)
    try:
        with _without_collector():
            schedule = parser.legacy(document) if isinstance(document, list) else parser.schedule(document)
    except _TooManyError:
        raise ScheduleError([*parser.problems, visible(f"{name}: and more; fix these first")]) from None
    if parser.problems:
        raise ScheduleError(parser.problems)
    return schedule


def looks_like_schedule(head: str, name: str) -> bool:
    """Tell by the name of a file and by its beginning whether it is to be a schedule; if not, it may be a recording."""
    is_named = name.casefold().endswith((".json", ".toml", ".yaml", ".yml"))
    return is_named or head.lstrip().startswith(("{", "[")) or bool(_YAML.match(head) or _TOML.match(head))


def _format_advice(text: str, name: str) -> str:
    """Return advice for a file that is not JSON but in another known format; empty for any other text."""
    small = name.casefold()
    first = next((line for line in text.split("\n") if line.strip()), "")
    if small.endswith(".toml") or first.lstrip().startswith(("{", "[{")):
        return ""
    if small.endswith((".yaml", ".yml")) or _YAML.match(text):
        return "is YAML; write the schedule as JSON or TOML"
    if _TOML.match(text):
        return "is TOML; give it a name that ends in .toml"
    return ""


def _has_events(document: Mapping[str, Any]) -> bool:
    """Tell whether a document has events, or a key that is spelled nearly so."""
    return "events" in document or any(suggestion(key, ["events"]) for key in islice(document, MOST_KNOWN))


@contextmanager
def _without_collector() -> Iterator[None]:
    """Disable garbage collection: parsing makes many objects that live, and scanning them repeatedly takes long."""
    is_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if is_enabled:
            gc.enable()


class _TooManyError(Exception):
    """The document has more than `MAX_PROBLEMS` problems."""


@dataclass(slots=True)
class _UnresolvedEvent:
    """An event before its start is resolved."""

    place: str
    id: str
    start: float
    duration: float
    load: Load
    after: str | None
    tests: str
    note: str
    every: float = 0.0
    count: int = 1

    def names(self) -> Iterator[str]:
        """Yield the ids of the event and of its repetitions."""
        yield self.id
        for turn in range(2, self.count + 1):
            yield f"{self.id}#{turn}"


class _Replayed(NamedTuple):
    """What is replayed of a recording: its path, the part of it, and the changes of its demand."""

    path: str
    window: Window
    changes: tuple[DemandChange, ...] = ()


@dataclass
class _Parser:
    """One pass over one document; problems are collected, and parsing continues."""

    name: str
    kinds: Kinds
    read_recording: ReadRecording
    problems: list[str] = field(default_factory=list)
    loads: dict[str, Load] = field(default_factory=dict)  # by their text, since many events have the same load
    recordings: dict[str, MachineRecording] = field(default_factory=dict)  # by path
    replays: dict[tuple[_Replayed, float], Replay] = field(default_factory=dict)  # by speed too
    remarks: dict[str, str] = field(default_factory=dict)  # how the recording of an event was read, by its place
    unread: dict[_Replayed, Sequence[str]] = field(default_factory=dict)  # problems of what cannot be replayed

    def add_problem(self, place: str, problem: str) -> None:
        """Add a problem; raises `_TooManyError` when there are enough."""
        if len(self.problems) == MAX_PROBLEMS:
            raise _TooManyError
        self.problems.append(visible(f"{self.name}: {place}{': ' if place else ''}{problem}"))

    def value(self, event: Mapping[str, Any], place: str, key: str, default: Any) -> Any:
        """Return the value of a field; the default if it is absent or invalid."""
        if key not in event:
            return default
        try:
            return EVENT_FIELDS[key].parse(event[key])
        except ValueError as error:
            self.add_problem(f"{place}.{key}", str(error))
            return default

    def schedule(self, document: object) -> Schedule:
        """Return the schedule of a document in the current format."""
        if not isinstance(document, dict):
            self.add_problem("", "is not an object with events, nor a legacy list")
            return Schedule(())
        if document and not _has_events(document):
            self.add_problem("", 'is no schedule: it has no list of "events"')
            return Schedule(())
        top: dict[str, Any] = {"anchor": SESSION, "mode": PARALLEL, "seed": 0}
        for key, raw in document.items():
            try:
                if key not in SCHEDULE_FIELDS:
                    self.add_problem("", unknown(key, SCHEDULE_FIELDS))
                elif key != "events":
                    top[key] = SCHEDULE_FIELDS[key].parse(raw)
            except ValueError as error:
                self.add_problem(key, str(error))
        events = document.get("events")
        if not isinstance(events, list) or len(events) > MOST_EVENTS:
            self.add_problem("events", f"must be a list of at most {MOST_EVENTS} events")
            events = []
        drafts = [draft for at, event in enumerate(events) if (draft := self.event(at, event)) is not None]
        planned = sorted(self.resolved(drafts), key=lambda event: event.start_s)
        texts = (
            f"{path}: {'; '.join(replay.remarks)}" for ((path, *_), _), replay in self.replays.items() if replay.remarks
        )
        remarks = tuple(dict.fromkeys(texts))
        schedule = Schedule(tuple(planned), top["anchor"], PARALLEL, top["seed"], remarks)
        if top["mode"] == SERIES:
            schedule = schedule.in_series()
            if planned and schedule.events[-1].start_s > LONGEST_S:
                self.add_problem("mode", "in series the events last more than a year; remove some")
        return schedule

    def event(self, at: int, event: object) -> _UnresolvedEvent | None:
        """Return one event of the document; None if it is not an object."""
        place = f"events[{at}]"
        if not isinstance(event, dict):
            self.add_problem(place, "is not an object")
            return None
        words = {key: raw for key, raw in event.items() if key not in EVENT_FIELDS}
        unknown_keys = (
            []
            if ENGINE in words
            else [key for key in words if key not in self.kinds and key not in MODIFIERS and key != CONSTRAIN]
        )
        for key in unknown_keys:
            self.add_problem(place, unknown(key, [*EVENT_FIELDS, *self.kinds, CONSTRAIN, *MODIFIERS]))
            del words[key]
        load, duration = self.load(place, event, words, is_complete=not unknown_keys)
        repeat = self.value(event, place, "repeat", {"every": 0.0, "count": 1})
        if duration is None and "duration" not in event:
            self.add_problem(place, 'has no duration; write one such as "30s"')
        return _UnresolvedEvent(
            place=place,
            id=self.value(event, place, "id", f"e{at + 1}"),
            start=self.value(event, place, "start", 0.0),
            duration=self.value(event, place, "duration", duration or 0.0),
            load=load,
            after=self.value(event, place, "after", None),
            tests=self.value(event, place, "tests", ""),
            note=self.note(event, place),
            **repeat,
        )

    def note(self, event: Mapping[str, Any], place: str) -> str:
        """Return the note for the rows of an event: the user's text, and how a recording was read."""
        note, remark = str(self.value(event, place, "note", "")), self.remarks.get(place, "")
        return note if remark in note else "; ".join(filter(None, (note, remark)))

    def load(
        self, place: str, event: Mapping[str, Any], words: dict[str, Any], *, is_complete: bool
    ) -> tuple[Load, float | None]:
        """Return the load of an event, and its duration where the load has one (a recording).

        Args:
            place: The place of the event, for errors.
            event: The event.
            words: Its keywords of the load.
            is_complete: Whether all keys are known: only then is an event without a load an error of its own.
        """
        if "replay" in event:
            guards = {key: words.pop(key) for key in GUARDS if key in words}
            if words:
                self.add_problem(place, f"has both replay and {', '.join(words)}; split it into two events")
            return self.replay(place, event, guards)
        for key in REPLAY_FIELDS:
            if key in event:
                self.add_problem(f"{place}.{key}", "applies only to a replay")
        written = repr(words)
        if (known := self.loads.get(written)) is not None:
            return known, None
        if not words.keys() & {*self.kinds, CONSTRAIN, ENGINE}:
            if is_complete:
                self.add_problem(place, f"applies no load; give {', '.join(self.kinds)} or replay")
            return Load(), None
        try:
            self.loads[written] = parse_load(words, self.kinds)
        except LoadError as error:
            for key, problem in error.problems:
                self.add_problem(f"{place}.{key}", problem)
            return Load(), None
        return self.loads[written], None

    def replay(self, place: str, event: Mapping[str, Any], guards: Mapping[str, Any]) -> tuple[Load, float | None]:
        """Return the load of a recording, and its duration."""
        path = self.value(event, place, "replay", "")
        speed = self.value(event, place, "speed", 1.0)
        window = Window(*(self.value(event, place, key, None) for key in WINDOW_FIELDS))
        if window.busiest_s is not None and window != Window(busiest_s=window.busiest_s):
            self.add_problem(place, TOO_MANY)
        if not path:
            return Load(), 0.0
        replayed = _Replayed(path, window, self.value(event, place, "scale", ()))
        if replayed not in self.unread and (replayed, speed) not in self.replays:
            self.read(replayed, speed)
        for problem in self.unread.get(replayed, ()):
            self.add_problem(f"{place}.replay", f"{path}: {problem}")
        if (replayed, speed) not in self.replays:
            return Load(), 0.0
        load, duration, remarks = self.replays[replayed, speed]
        self.remarks[place] = "; ".join(remarks)
        if not duration <= LONGEST_S:
            self.add_problem(f"{place}.replay", f"{path}: is longer than a year at this speed")
            return Load(), 0.0
        given = {key: event[key] for key in REPLAY_FIELDS if key in event}
        try:
            load = load.with_guards(**{key: MODIFIERS[key].parse(raw) for key, raw in guards.items()})
        except ValueError as error:
            self.add_problem(f"{place}.{'/'.join(guards)}", str(error))
        return replace(load, keywords={"replay": path, **given, **guards}), duration

    def read(self, replayed: _Replayed, speed: float) -> None:
        """Read what is replayed of a recording as a load, or its problems."""
        path, window, changes = replayed
        try:
            if path not in self.recordings:
                self.recordings[path] = self.read_recording(path)
            found = replay_of(cut_recording(self.recordings[path], window), path, self.kinds, changes)
            faster = Replay(found.load.faster(speed), found.duration_s / speed, found.remarks)
            self.replays[replayed, speed] = faster
        except RecordingError as error:
            self.unread[replayed] = error.problems
        except (OSError, ValueError) as error:
            self.unread[replayed] = [str(getattr(error, "strerror", None) or error)]

    def resolved(self, drafts: list[_UnresolvedEvent]) -> Iterator[ScheduledLoad]:
        """Yield the events with their starts resolved, repetitions included."""
        named = {draft.id: draft for draft in reversed(drafts)}
        if sum(draft.count for draft in drafts) > MOST_EVENTS:
            self.add_problem("events", f"are more than {MOST_EVENTS} with their repetitions")
            return
        self.check_ids(drafts)
        starts: dict[str, float] = {}
        for draft in drafts:
            if self.start(draft, named, starts) + (draft.count - 1) * draft.every > LONGEST_S:
                self.add_problem(f"{draft.place}.start", "starts more than a year after the anchor")
        for draft in drafts if not self.problems else ():
            for turn, name in enumerate(draft.names()):
                start = starts[draft.id] + turn * draft.every
                yield ScheduledLoad(name, start, draft.duration, draft.load, draft.tests, draft.note)

    def check_ids(self, drafts: list[_UnresolvedEvent]) -> None:
        """Check that no two events have the same id, without listing the ids of all repetitions."""
        taken: dict[str, _UnresolvedEvent] = {}
        repeated = {draft.id: draft for draft in reversed(drafts) if draft.count > 1}
        for draft in drafts:
            first = taken.setdefault(draft.id, draft)
            if repeated:
                of, mark, turn = draft.id.rpartition("#")
                other = repeated.get(of) if mark and turn.isdecimal() and len(turn) < 7 else None
                if first is draft and other and draft.id == f"{of}#{int(turn)}" and 2 <= int(turn) <= other.count:
                    first = other
            if first is not draft:
                self.add_problem(f"{draft.place}.id", f'"{draft.id}" is already the id of {first.place}')

    def start(self, draft: _UnresolvedEvent, named: Mapping[str, _UnresolvedEvent], starts: dict[str, float]) -> float:
        """Return the start of an event; the chain of events that it follows is resolved first."""
        if draft.after is None:
            return starts.setdefault(draft.id, draft.start)
        chain, links = [draft], {draft.id}
        while chain[-1].id not in starts and chain[-1].after is not None:
            before = named.get(chain[-1].after)
            if before is None:
                self.add_problem(f"{chain[-1].place}.after", f'there is no event "{chain[-1].after}"')
                break
            if before.id in links:
                self.add_problem(f"{draft.place}.after", f'"{before.id}" follows itself')
                break
            chain.append(before)
            links.add(before.id)
        for link in reversed(chain):
            first = named.get(link.after or "")
            begins = (
                starts[first.id] + first.every * (first.count - 1) + first.duration
                if first and first.id in starts
                else 0.0
            )
            starts.setdefault(link.id, begins + link.start)
        return starts[draft.id]

    def legacy(self, document: list[object]) -> Schedule:
        """Return the schedule of a legacy list."""
        drafts = []
        if len(document) > MOST_EVENTS:
            self.add_problem("", f"has more than {MOST_EVENTS} events")
            return Schedule(())
        for at, event in enumerate(document):
            place = f"events[{at}]"
            try:
                drafts.append((at, legacy.parse_legacy_event(event), place))
            except legacy.LegacyError as error:
                for key, problem in error.problems:
                    self.add_problem(f"{place}.{key}" if key else place, problem)
        first = min((old.start for _, old, _ in drafts), default=None)
        events = []
        for at, old, place in drafts:
            try:
                load = parse_load(old.load, self.kinds)
            except LoadError as error:
                self.add_problem(f"{place}.cmd", str(error))
                continue
            start = (old.start - first).total_seconds() if first else 0.0
            if start > LONGEST_S:
                self.add_problem(f"{place}.start", "is more than a year after the first")
            events.append(ScheduledLoad(f"e{at + 1}", start, old.duration_s, load, note=old.type))
        return Schedule(tuple(sorted(events, key=lambda event: event.start_s)))
