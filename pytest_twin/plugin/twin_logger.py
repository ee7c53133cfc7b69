"""What the fixture ``twin_logger`` is."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from pytest_twin._system.clock import monotonic
from pytest_twin._system.stdlib import time
from pytest_twin.model import columns
from pytest_twin.model.error_text import unknown
from pytest_twin.plugin.attribute_usage import asks_for
from pytest_twin.run_folder import frames
from pytest_twin.run_folder.excerpt import Excerpt, windows

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    import pytest

    from pytest_twin.recording.attempt import RecordedAttempt
    from pytest_twin.recording.recording import Recording

FRAMES = frozenset({"samples", "events"})


class TwinLogger:
    """What the machine did during this test so far, and a way to annotate it."""

    def __init__(self, recording: Recording, attempt: RecordedAttempt, interval: float) -> None:
        self._recording, self._attempt, self._interval = recording, attempt, interval
        self._excerpt = Excerpt(recording.dataset, attempt.began)

    @property
    def path(self) -> Path:
        """The folder of this test within the run folder; its CSVs are completed when the session ends."""
        with self._recording.folder.test_folder(self._attempt.folder) as folder:
            return folder.path

    def annotate(self, text: str, **fields: Any) -> None:
        """Write a note into annotations.csv; fields make its detail a JSON object."""
        self._recording.note(text, fields, test=self._attempt.nodeid)

    def phase(self, name: str) -> AbstractContextManager[None]:
        """Mark a stretch of the test with a name: ``with twin_logger.phase("warm-up"): ...``."""
        return self._recording.phase(name, test=self._attempt.nodeid)

    def samples(self) -> pd.DataFrame:
        """The samples of this test so far, oldest first, as `pytest_twin.load` reads them: the index is the UTC time.

        A share or an amount is missing in the first of them, where it is in part of the time before the test. A test
        that is younger than the sampling interval waits for its first sample.
        """
        self._read()
        return frames.parse_samples(self._heading, self._excerpt.lines())

    def events(self) -> pd.DataFrame:
        """The events of this test so far: its own, and those of the loads around it."""
        frame = frames.load_events(self._recording.folder, self._recording.worker)
        return frame[(frame["elapsed_s"] >= self._attempt.began) | (frame["test"] == self._attempt.nodeid)]

    def peak(self, column: str) -> float:
        """The highest value of a column of `samples`, without pandas; NaN where this machine cannot tell.

        Of a share or an amount, a test that is too young for it waits for the first one that is its own.
        """
        return max(self._column(column), default=math.nan)

    def mean(self, column: str) -> float:
        """The mean of a column of `samples`, without pandas; NaN where this machine cannot tell."""
        values = self._column(column)
        return math.fsum(values) / len(values) if values else math.nan

    def close(self) -> None:
        """No more questions."""
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
        """The first line of the dataset; where that was removed, what it would be."""
        return self._excerpt.heading or columns.header(frames.samples_shape().columns)

    def _read(self, column: str | None = None) -> None:
        """Have all samples, and wait for the first one, or for the first that a column has of this test alone."""
        deadline = monotonic() + 5 * self._interval + 1.0
        while not (self._excerpt.read() and self._excerpt.has_own(column)) and monotonic() < deadline:
            time.sleep(self._interval / 5)


def prepare(item: pytest.Item) -> None:
    """Import what the logger of a test will need, before the test has an account that this would be charged to.

    Pandas takes a second, and memory for the rest of the session: it is imported for those only whose code asks for
    frames.
    """
    windows()
    if asks_for(item, FRAMES):
        frames.parse_samples(f"{columns.TIMESTAMP.name},{columns.ELAPSED.name}", ["1970-01-01T00:00:00.000Z,0"])
