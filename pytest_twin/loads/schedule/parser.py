"""Reading a schedule with every error that is in it, each with its place."""

from __future__ import annotations

import gc
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from pytest_twin.loads.modifiers import GUARDS, MODIFIERS
from pytest_twin.loads.parser import parse
from pytest_twin.loads.schedule import documents, legacy
from pytest_twin.loads.schedule.replay import ReplayError, replayed
from pytest_twin.loads.schedule.schedule import (
    MOST_EVENTS,
    PARALLEL,
    SERIES,
    SESSION,
    Schedule,
    ScheduledLoad,
    ScheduleError,
)
from pytest_twin.loads.schedule.schema import EVENT, TOP
from pytest_twin.loads.spec import Kinds, Load, LoadError
from pytest_twin.loads.stress_ng import ENGINE
from pytest_twin.model.csv_text import visible
from pytest_twin.model.error_text import unknown
from pytest_twin.model.quantity import LONGEST_S

ReadText = Callable[[str], str]
MOST_PROBLEMS = 100

_YAML = re.compile(
    r"(?:\s*#.*\n)*(?:---|\s*-?\s*(?:version|anchor|mode|seed|events|start|duration|cpu|type|cmd):(?:\s|$))"
)
_TOML = re.compile(r"(?:\s*#.*\n)*\s*(?:\[\[events\]\]|(?:version|anchor|mode|seed|events)\s*=)")
_CSV = re.compile(r"(?:\ufeff)?[\w %./\"-]+(?:[,;\t] ?[\w %./:\"-]+)+$")


def read(text: str, name: str, kinds: Kinds, recording: ReadText) -> Schedule:
    """Read a schedule from the text of a JSON file, a TOML file (by its name), or a legacy list.

    Args:
        text: What stands in the file.
        name: The file's name, which begins every error line.
        kinds: The stressors there are.
        recording: Gives the text of a recording that an event replays; may raise OSError.

    Raises:
        ScheduleError: With all that is wrong.
    """
    try:
        document = documents.toml(text) if name.endswith(".toml") else documents.json(text)
    except ValueError as error:
        raise ScheduleError([visible(f"{name}: {_another_format(text, name) or error}")]) from None
    reading = _Parser(name, kinds, recording)
    try:
        with _without_collector():
            schedule = reading.legacy(document) if isinstance(document, list) else reading.schedule(document)
    except _TooManyError:
        raise ScheduleError([*reading.problems, visible(f"{name}: and more; mend these first")]) from None
    if reading.problems:
        raise ScheduleError(reading.problems)
    return schedule


def _another_format(text: str, name: str) -> str:
    """What to do with a file that is no JSON, where it is seen what it is instead; empty where it is not."""
    small = name.casefold()
    first = next((line for line in text.split("\n") if line.strip()), "")
    if small.endswith(".toml") or first.lstrip().startswith(("{", "[{")):
        return ""
    if small.endswith((".yaml", ".yml")) or _YAML.match(text):
        return "is YAML; write the schedule as JSON or TOML"
    if _TOML.match(text):
        return "is TOML; give it a name that ends in .toml"
    if small.endswith((".csv", ".tsv")) or _CSV.match(first):
        replay = json.dumps({"events": [{"replay": name}]}, ensure_ascii=False)
        return f"is a table and no schedule; to replay it, write a schedule such as {replay}"
    return ""


@contextmanager
def _without_collector() -> Iterator[None]:
    """Make many objects, of which none is garbage: to look among them for some, again and again, takes a while."""
    is_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if is_enabled:
            gc.enable()


class _TooManyError(Exception):
    """Nobody reads on: so many problems have been told."""


@dataclass(slots=True)
class _UntimedEvent:
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

    def names(self) -> Iterator[str]:
        """The ids of the event and of its repetitions."""
        yield self.id
        for turn in range(2, self.count + 1):
            yield f"{self.id}#{turn}"


@dataclass
class _Parser:
    """One pass over one document; what is wrong is collected, and reading goes on."""

    name: str
    kinds: Kinds
    recording: ReadText
    problems: list[str] = field(default_factory=list)
    loads: dict[str, Load] = field(default_factory=dict)  # by how they are written; of many events most are alike
    replays: dict[tuple[str, float], tuple[Load, float]] = field(default_factory=dict)  # by path and speed
    unread: dict[str, Sequence[str]] = field(default_factory=dict)  # why a recording cannot be replayed
    remarks: dict[str, str] = field(default_factory=dict)  # how a recording was read

    def wrong(self, place: str, problem: str) -> None:
        if len(self.problems) == MOST_PROBLEMS:
            raise _TooManyError
        self.problems.append(visible(f"{self.name}: {place}{': ' if place else ''}{problem}"))

    def value(self, event: Mapping[str, Any], place: str, key: str, default: Any) -> Any:
        """One field, read by its own reader; the default where it is absent or wrong."""
        if key not in event:
            return default
        try:
            return EVENT[key].read(event[key])
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
                if key not in TOP:
                    self.wrong("", unknown(key, TOP))
                elif key != "events":
                    top[key] = TOP[key].read(raw)
            except ValueError as error:
                self.wrong(key, str(error))
        events = document.get("events")
        if not isinstance(events, list) or len(events) > MOST_EVENTS:
            self.wrong("events", f"must be a list of at most {MOST_EVENTS} events")
            events = []
        drafts = [draft for at, event in enumerate(events) if (draft := self.event(at, event)) is not None]
        planned = sorted(self.placed(drafts), key=lambda event: event.start_s)
        remarks = tuple(f"{path}: {remark}" for path, remark in self.remarks.items() if remark)
        schedule = Schedule(tuple(planned), top["anchor"], PARALLEL, top["seed"], remarks)
        if top["mode"] == SERIES:
            schedule = schedule.in_series()
            if planned and schedule.events[-1].start_s > LONGEST_S:
                self.wrong("mode", "one after another the events come to more than a year; leave some out")
        return schedule

    def event(self, at: int, event: object) -> _UntimedEvent | None:
        """One event as it stands."""
        place = f"events[{at}]"
        if not isinstance(event, dict):
            self.wrong(place, "is not an object")
            return None
        words = {key: raw for key, raw in event.items() if key not in EVENT}
        strangers = [] if ENGINE in words else [key for key in words if key not in self.kinds and key not in MODIFIERS]
        for key in strangers:
            self.wrong(place, unknown(key, [*EVENT, *self.kinds, *MODIFIERS]))
            del words[key]
        load, lasts = self.load(place, event, words, sure=not strangers)
        repeat = self.value(event, place, "repeat", {"every": 0.0, "count": 1})
        if lasts is None and "duration" not in event:
            self.wrong(place, 'has no duration; write one such as "30s"')
        return _UntimedEvent(
            place=place,
            id=self.value(event, place, "id", f"e{at + 1}"),
            start=self.value(event, place, "start", 0.0),
            lasts=self.value(event, place, "duration", lasts or 0.0),
            load=load,
            after=self.value(event, place, "after", None),
            tests=self.value(event, place, "tests", ""),
            note=self.note(event, place),
            **repeat,
        )

    def note(self, event: Mapping[str, Any], place: str) -> str:
        """What the rows of an event say beside its load: the user's own words, and how a recording was read."""
        note, path = str(self.value(event, place, "note", "")), event.get("replay")
        remark = self.remarks.get(path, "") if isinstance(path, str) else ""
        return note if remark in note else "; ".join(filter(None, (note, remark)))

    def load(
        self, place: str, event: Mapping[str, Any], words: dict[str, Any], *, sure: bool
    ) -> tuple[Load, float | None]:
        """What an event applies, and how long that is by itself where it says so (a recording does).

        Where a key is unknown it is not `sure` that an event without a load was meant to have none.
        """
        if "replay" in event:
            guards = {key: words.pop(key) for key in GUARDS if key in words}
            if words:
                self.wrong(place, f"has both replay and {', '.join(words)}; make two events of it")
            return self.replay(place, event, guards)
        if "speed" in event:
            self.wrong(f"{place}.speed", "is for a replay")
        written = repr(words)
        if (known := self.loads.get(written)) is not None:
            return known, None
        if not words.keys() & {*self.kinds, ENGINE}:
            if sure:
                self.wrong(place, f"applies nothing; give {', '.join(self.kinds)} or replay")
            return Load(), None
        try:
            self.loads[written] = parse(words, self.kinds)
        except LoadError as error:
            for key, problem in error.problems:
                self.wrong(f"{place}.{key}", problem)
            return Load(), None
        return self.loads[written], None

    def replay(self, place: str, event: Mapping[str, Any], guards: Mapping[str, Any]) -> tuple[Load, float | None]:
        """The load that a recording shows."""
        path = self.value(event, place, "replay", "")
        speed = self.value(event, place, "speed", 1.0)
        if not path:
            return Load(), 0.0
        if path not in self.unread and (path, speed) not in self.replays:
            try:
                load, lasts, remarks = replayed(self.recording(path), path, self.kinds)
                self.replays[path, speed] = load.faster(speed), lasts / speed
                self.remarks[path] = "; ".join(remarks)
            except ReplayError as error:
                self.unread[path] = error.problems
            except (OSError, ValueError) as error:
                self.unread[path] = [str(getattr(error, "strerror", None) or error)]
        for problem in self.unread.get(path, ()):
            self.wrong(f"{place}.replay", f"{path}: {problem}")
        if path in self.unread:
            return Load(), 0.0
        load, lasts = self.replays[path, speed]
        if not lasts <= LONGEST_S:
            self.wrong(f"{place}.replay", f"{path}: is longer than a year at this speed")
            return Load(), 0.0
        given = {"speed": event["speed"]} if "speed" in event else {}
        try:
            load = load.guarded(**{key: MODIFIERS[key].read(raw) for key, raw in guards.items()})
        except ValueError as error:
            self.wrong(f"{place}.{'/'.join(guards)}", str(error))
        return replace(load, keywords={"replay": path, **given, **guards}), lasts

    def placed(self, drafts: list[_UntimedEvent]) -> Iterator[ScheduledLoad]:
        """Events with their times worked out: repeated, and behind those that they follow."""
        named = {draft.id: draft for draft in reversed(drafts)}
        if sum(draft.count for draft in drafts) > MOST_EVENTS:
            self.wrong("events", f"are more than {MOST_EVENTS} with their repetitions")
            return
        self.take_names(drafts)
        starts: dict[str, float] = {}
        for draft in drafts:
            if self.start(draft, named, starts) + (draft.count - 1) * draft.every > LONGEST_S:
                self.wrong(f"{draft.place}.start", "comes to more than a year after the anchor")
        for draft in drafts if not self.problems else ():
            for turn, name in enumerate(draft.names()):
                start = starts[draft.id] + turn * draft.every
                yield ScheduledLoad(name, start, draft.lasts, draft.load, draft.tests, draft.note)

    def take_names(self, drafts: list[_UntimedEvent]) -> None:
        """See to it that no two events have one name; those of repetitions need not be written out for that."""
        taken: dict[str, _UntimedEvent] = {}
        repeated = {draft.id: draft for draft in reversed(drafts) if draft.count > 1}
        for draft in drafts:
            first = taken.setdefault(draft.id, draft)
            if repeated:
                of, mark, turn = draft.id.rpartition("#")
                other = repeated.get(of) if mark and turn.isdecimal() and len(turn) < 7 else None
                if first is draft and other and draft.id == f"{of}#{int(turn)}" and 2 <= int(turn) <= other.count:
                    first = other
            if first is not draft:
                self.wrong(f"{draft.place}.id", f'"{draft.id}" is taken by {first.place}')

    def start(self, draft: _UntimedEvent, named: Mapping[str, _UntimedEvent], starts: dict[str, float]) -> float:
        """When an event starts; those that it follows, one behind the other, are worked out first."""
        if draft.after is None:
            return starts.setdefault(draft.id, draft.start)
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
        if len(document) > MOST_EVENTS:
            self.wrong("", f"has more than {MOST_EVENTS} events")
            return Schedule(())
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
            events.append(ScheduledLoad(f"e{at + 1}", start, old.duration_s, load, note=old.type))
        return Schedule(tuple(sorted(events, key=lambda event: event.start_s)))
