"""The object behind the fixture ``twin_logger``."""

from __future__ import annotations

import math
from collections.abc import Container, Iterator
from contextlib import AbstractContextManager
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from pytest_twin._system.clock import monotonic
from pytest_twin._system.stdlib import time
from pytest_twin.loads.registry import kinds_by_type
from pytest_twin.model import columns
from pytest_twin.model.error_text import unknown
from pytest_twin.run_folder import frames
from pytest_twin.run_folder.excerpt import Excerpt, windows

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    import pytest

    from pytest_twin.recording.attempt import RecordedAttempt
    from pytest_twin.recording.recording import Recording

FRAMES = frozenset({"samples", "events"})  # the methods of `TwinLogger` that need pandas
MAX_FUNCTIONS = 500  # that are searched for one test


class TwinLogger:
    """Reads the metrics of a test so far, and writes notes and phases into its events."""

    def __init__(self, recording: Recording, attempt: RecordedAttempt, interval: float) -> None:
        self._recording, self._attempt, self._interval = recording, attempt, interval
        self._excerpt = Excerpt(recording.dataset, attempt.began)

    @property
    def path(self) -> Path:
        """The folder of this test within the run folder; its CSV files are completed when the session ends."""
        with self._recording.folder.test_folder(self._attempt.folder) as folder:
            return folder.path

    def annotate(self, text: str, **fields: Any) -> None:
        """Write a note into annotations.csv; with fields, its detail is a JSON object."""
        self._recording.note(text, fields, test=self._attempt.nodeid)

    def phase(self, name: str) -> AbstractContextManager[None]:
        """Write a phase of the test, with a start and an end: ``with twin_logger.phase("warm-up"): ...``."""
        return self._recording.phase(name, test=self._attempt.nodeid)

    def samples(self) -> pd.DataFrame:
        """Return the samples of this test so far, oldest first, as `pytest_twin.load` reads them: the index is UTC.

        In the first sample, columns that measure the time since the sample before are missing, since part of that is
        before the test. A test that is younger than the sampling interval waits for its first sample.
        """
        self._read()
        return frames.parse_samples(self._heading, self._excerpt.lines())

    def events(self) -> pd.DataFrame:
        """Return the events of this test so far: its own, and those of the loads around it."""
        frame = frames.load_events(self._recording.folder, self._recording.worker)
        return frame[(frame["elapsed_s"] >= self._attempt.began) | (frame["test"] == self._attempt.nodeid)]

    def peak(self, column: str) -> float:
        """Return the highest value of a column of `samples`, without pandas; NaN if this machine does not report it.

        A test that is younger than the sampling interval waits for the first sample with a value of its own.
        """
        return max(self._column(column), default=math.nan)

    def mean(self, column: str) -> float:
        """Return the mean of a column of `samples`, without pandas; NaN if this machine does not report it."""
        values = self._column(column)
        return math.fsum(values) / len(values) if values else math.nan

    def close(self) -> None:
        """Close the dataset."""
        self._excerpt.close()

    def _column(self, column: str) -> list[float]:
        self._read()
        known = [name for name in self._heading.split(",") if name != columns.TIMESTAMP.name]
        if column not in known:
            raise KeyError(unknown(column, known, "column"))
        self._read(column)
        return self._excerpt.column(column)

    @property
    def _heading(self) -> str:
        """The header of the dataset, also where the file was removed."""
        return self._excerpt.heading or columns.header(frames.samples_shape().columns)

    def _read(self, column: str | None = None) -> None:
        """Read new samples, and wait for the first one, or for the first value of a column of this test alone."""
        deadline = monotonic() + 5 * self._interval + 1.0
        while not (self._excerpt.read() and self._excerpt.has_own(column)) and monotonic() < deadline:
            time.sleep(self._interval / 5)


def prepare(item: pytest.Item) -> None:
    """Import what the logger of a test needs, before the test begins, so that the test is not charged for it.

    Pandas takes a second to import, and memory for the rest of the session, so it is imported only for a test with code
    that uses frames.
    """
    windows()
    kinds_by_type()
    if uses_attribute(item, FRAMES):
        frames.parse_samples(f"{columns.TIMESTAMP.name},{columns.ELAPSED.name}", ["1970-01-01T00:00:00.000Z,0"])


def uses_attribute(item: pytest.Item, names: Container[str]) -> bool:
    """Return whether a test, one of its fixtures, or a function that these call by its name, uses an attribute.

    Args:
        item: The test.
        names: The names of the attributes.
    """
    fixtures: Any = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    owner = getattr(item, "cls", None)
    pending = [getattr(item, "obj", None), *(each.func for found in fixtures.values() for each in found)]
    seen: set[CodeType] = set()
    while pending and len(seen) < MAX_FUNCTIONS:
        function = pending.pop()
        function = getattr(function, "__func__", function)
        if not isinstance(function, FunctionType) or function.__code__ in seen or _is_foreign(function):
            continue
        seen.add(function.__code__)
        used = set(_names(function.__code__))
        if any(name in names for name in used):
            return True
        pending += (*_callees(function, used), *(getattr(owner, name, None) for name in used))
    return False


def _is_foreign(function: FunctionType) -> bool:
    """Return whether a function is of pytest or of pytest-twin, and not of the tests."""
    return function.__module__.partition(".")[0] in {"pytest_twin", "_pytest"}


def _names(code: CodeType) -> Iterator[str]:
    """Yield the global names and the attributes in code and in the functions within it."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _callees(function: FunctionType, used: set[str]) -> Iterator[object]:
    """Yield the functions that these names may mean: those of the same module, or of a module or class in it."""
    for name in used:
        found = function.__globals__.get(name)
        if isinstance(found, ModuleType | type):
            yield from (vars(found).get(each) for each in used)
        yield found
    yield getattr(function, "__wrapped__", None)
