"""What the fixture ``twin_logger`` is."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from pytest_twin import frames
from pytest_twin.model.clock import monotonic
from pytest_twin.model.load import unknown
from pytest_twin.stdlib import time

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from pytest_twin.attempt import Attempt
    from pytest_twin.recording import Recording


class TwinLogger:
    """What the machine did during this test so far, and a way to annotate it."""

    def __init__(self, recording: Recording, attempt: Attempt, interval: float) -> None:
        self._recording, self._attempt, self._interval = recording, attempt, interval

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

        A test that is younger than the sampling interval waits for its first one.
        """
        deadline = monotonic() + 5 * self._interval + 1.0
        while True:
            frame = frames.samples(self._recording.dataset)
            frame = frame[frame["elapsed_s"] >= self._attempt.began]
            if len(frame) or monotonic() > deadline:
                return frame
            time.sleep(self._interval / 5)

    def events(self) -> pd.DataFrame:
        """The events of this test so far: its own, and those of the loads around it."""
        frame = frames.events(self._recording.folder, self._recording.worker)
        return frame[(frame["elapsed_s"] >= self._attempt.began) | (frame["test"] == self._attempt.nodeid)]

    def peak(self, column: str) -> float:
        """The highest value of a column of `samples`; NaN where this machine cannot tell."""
        return float(self._column(column).max())

    def mean(self, column: str) -> float:
        """The mean of a column of `samples`; NaN where this machine cannot tell."""
        return float(self._column(column).mean())

    def _column(self, column: str) -> pd.Series[Any]:
        frame = self.samples()
        if column not in frame:
            raise KeyError(unknown(column, frame.columns, "column"))
        return frame[column]
