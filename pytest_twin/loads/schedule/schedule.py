"""Schedules as data: loads with start offsets and durations."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b
from typing import Any, NamedTuple

from pytest_twin.loads.schedule import SESSION, TEST
from pytest_twin.loads.spec import Load
from pytest_twin.model.nodeid_pattern import matches
from pytest_twin.model.quantity import format_duration

PARALLEL, SERIES = "parallel", "series"
MOST_EVENTS = 100_000


class ScheduledLoad(NamedTuple):
    """One event of a schedule, with its times resolved.

    Attributes:
        id: Its id in annotations.csv.
        start_s: Its start, in seconds after the anchor.
        duration_s: Its duration in seconds.
        load: The load to apply.
        tests: A pattern of node ids, if it is applied only while such a test runs; empty for always.
        note: Free text for the detail of its rows (for a legacy event its type).
    """

    id: str
    start_s: float
    duration_s: float
    load: Load
    tests: str = ""
    note: str = ""

    def __str__(self) -> str:
        tests = f"  (while {self.tests})" if self.tests else ""
        peaks = f" (at most {', '.join(peaks)})" if (peaks := self.load.peak_texts) else ""
        return f"{self.start_s:10.3f} s +{self.duration_s:.3f} s  {self.load}{peaks}  [{self.id}]{tests}"

    @property
    def end_s(self) -> float:
        """Its end, in seconds after the anchor."""
        return self.start_s + self.duration_s


@dataclass(frozen=True)
class Schedule:
    """A timeline of loads, in the order of their starts.

    Attributes:
        events: The events.
        anchor: ``session``: played once, from the first test on. ``test``: around each test that it selects.
        mode: ``parallel`` or ``series``; the times are resolved accordingly.
        seed: The seed of every random choice.
        remarks: How the recordings that it replays were read, a line each.
        name: The name of its file.
        folder: The folder of its file, which paths of recordings are relative to; empty if it has no file.
    """

    events: tuple[ScheduledLoad, ...]
    anchor: str = SESSION
    mode: str = PARALLEL
    seed: int = 0
    remarks: tuple[str, ...] = ()
    name: str = ""
    folder: str = ""

    @cached_property
    def label(self) -> str:
        """Its name with a digest of its content: ``schedule.json#3fa9c1``."""
        content = json.dumps(self.document(), sort_keys=True).encode()
        return f"{self.name or 'schedule'}#{blake2b(content, digest_size=3).hexdigest()}"

    @property
    def is_for_each_test(self) -> bool:
        """Whether it is played around each test, instead of once in the session."""
        return self.anchor == TEST

    def is_for(self, nodeid: str) -> bool:
        """Return whether some event of it is applied while this test runs."""
        return any(not event.tests or matches(event.tests, nodeid) for event in self.events)

    @property
    def duration_s(self) -> float:
        """Seconds from the anchor to the last end."""
        return max((event.end_s for event in self.events), default=0.0)

    def only(self, *, constraints: bool) -> Schedule:
        """Return the same schedule with its constraints only, or with everything else."""
        loads = {id(event.load): event.load for event in self.events}
        parts = {key: load.only(constraints=constraints) for key, load in loads.items()}
        events = (event._replace(load=parts[id(event.load)]) for event in self.events)
        return replace(self, events=tuple(event for event in events if event.load))

    @property
    def has_constraints(self) -> bool:
        """Whether an event of it constrains the tests."""
        return any(part.is_constraint for event in self.events for part in event.load.parts)

    def faster(self, speed: float) -> Schedule:
        """Return the same schedule with all times divided by `speed`; amounts stay."""
        loads = {id(event.load): event.load for event in self.events}  # many events may share one
        faster = {key: load.faster(speed) for key, load in loads.items()}
        events = [
            ScheduledLoad(
                each.id, each.start_s / speed, each.duration_s / speed, faster[id(each.load)], each.tests, each.note
            )
            for each in self.events
        ]
        return replace(self, events=tuple(events))

    def in_series(self) -> Schedule:
        """Return the same events one after another, in the order of their starts."""
        events, at = [], 0.0
        for event in self.events:
            events.append(event._replace(start_s=at))
            at += event.duration_s
        return replace(self, events=tuple(events), mode=SERIES)

    def document(self) -> dict[str, Any]:
        """Return the schedule as the document that `parse_schedule` reads, with all times resolved."""
        events = [
            {
                "id": event.id,
                "start": format_duration(event.start_s),
                "duration": format_duration(event.duration_s),
                **event.load.keywords,
                **({"tests": event.tests} if event.tests else {}),
                **({"note": event.note} if event.note else {}),
            }
            for event in self.events
        ]
        return {"version": 1, "anchor": self.anchor, "mode": self.mode, "seed": self.seed, "events": events}

    def text(self, folder: str = "") -> str:
        """Return the document as JSON with one event a line, which is faster than indenting each of many.

        Args:
            folder: The folder of the file to write: the recordings that are replayed are found from there.
        """
        document = self.document()
        if folder and self.folder:
            for event in document["events"]:
                if "replay" in event:
                    event["replay"] = _path_from(folder, os.path.join(self.folder, event["replay"]))
        encode = json.JSONEncoder(ensure_ascii=False, default=str).encode
        events = [encode(event) for event in document["events"]]
        head = json.dumps({**document, "events": []}, indent=2, ensure_ascii=False)
        return head.removesuffix("]\n}") + "\n    " + ",\n    ".join(events) + "\n  ]\n}\n"


def _path_from(folder: str, path: str) -> str:
    """Return a path relative to a folder; an absolute one if they are on different drives."""
    try:
        return os.path.relpath(os.path.realpath(path), os.path.realpath(folder))
    except ValueError:
        return os.path.realpath(path)


class ScheduleError(ValueError):
    """A schedule is invalid.

    Attributes:
        problems: All problems, a line each with its place.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
