"""Schedules: loads with start offsets and durations."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b
from typing import Any, NamedTuple

from pytest_twin.loads.spec import Load
from pytest_twin.model.nodeid_pattern import matches
from pytest_twin.model.quantity import said_duration

SESSION, TEST = "session", "test"
PARALLEL, SERIES = "parallel", "series"
MOST_EVENTS = 100_000


class ScheduledLoad(NamedTuple):
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

    def __str__(self) -> str:
        tests = f"  (while {self.tests})" if self.tests else ""
        peaks = f" (at most {', '.join(peaks)})" if (peaks := self.load.peaks) else ""
        return f"{self.start_s:10.3f} s +{self.duration_s:.3f} s  {self.load}{peaks}  [{self.id}]{tests}"

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
        remarks: How recordings that it replays were read, a line each.
        name: What its file is called.
    """

    events: tuple[ScheduledLoad, ...]
    anchor: str = SESSION
    mode: str = PARALLEL
    seed: int = 0
    remarks: tuple[str, ...] = ()
    name: str = ""

    @cached_property
    def label(self) -> str:
        """Its name with a digest of what it comes to: ``schedule.json#3fa9c1``."""
        content = json.dumps(self.document(), sort_keys=True).encode()
        return f"{self.name or 'schedule'}#{blake2b(content, digest_size=3).hexdigest()}"

    @property
    def is_for_each_test(self) -> bool:
        """Whether it is played around each test, and not once for all."""
        return self.anchor == TEST

    def is_for(self, nodeid: str) -> bool:
        """Whether something of it is applied while this test runs."""
        return any(not event.tests or matches(event.tests, nodeid) for event in self.events)

    @property
    def duration_s(self) -> float:
        """Seconds from the anchor to the last end."""
        return max((event.end_s for event in self.events), default=0.0)

    def faster(self, speed: float) -> Schedule:
        """The same timeline so many times faster; the amounts stay as they are."""
        loads = {id(event.load): event.load for event in self.events}  # which many events may share
        faster = {key: load.faster(speed) for key, load in loads.items()}
        events = [
            ScheduledLoad(
                each.id, each.start_s / speed, each.duration_s / speed, faster[id(each.load)], each.tests, each.note
            )
            for each in self.events
        ]
        return replace(self, events=tuple(events))

    def in_series(self) -> Schedule:
        """The same events one after another, in the order of their starts."""
        events, at = [], 0.0
        for event in self.events:
            events.append(event._replace(start_s=at))
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

    def text(self) -> str:
        """The document as JSON, with an event a line: to indent each of many takes long."""
        document = self.document()
        encode = json.JSONEncoder(ensure_ascii=False, default=str).encode
        events = [encode(event) for event in document["events"]]
        head = json.dumps({**document, "events": []}, indent=2, ensure_ascii=False)
        return head.removesuffix("]\n}") + "\n    " + ",\n    ".join(events) + "\n  ]\n}\n"


class ScheduleError(ValueError):
    """A schedule is wrong; `problems` has one line for each thing, with its place."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
