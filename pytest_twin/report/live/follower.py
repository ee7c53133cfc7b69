"""A run folder that is being written, followed: its files in, what is shown of them out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from pytest_twin.analysis.run.minute import LastMinute
from pytest_twin.analysis.run.running import EndCounts, EventTracker, RunningItem
from pytest_twin.run_folder.folder import RunFolder
from pytest_twin.run_folder.follow import CsvFollower
from pytest_twin.run_folder.layout import ANNOTATIONS, DATASET

FIRST_READ = 1 << 20  # bytes of the dataset: a minute of rows of 20 ms


class RunFollower:
    """Reads what was appended since the last time, and keeps the last minute of it.

    Attributes:
        folder: The run.
        minute: Its samples.
    """

    def __init__(
        self,
        folder: RunFolder,
        interval: float | None = None,
        epoch: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        since_s: float = 0.0,
    ) -> None:
        """Prepare it; the folder need not be there yet.

        Args:
            folder: The run.
            interval: Seconds between two rows; None is found out from the rows.
            epoch: When the run began, in seconds since 1970; None is the latest run in the files.
            clock: The monotonic time.
            since_s: When the part of the run began that is shown, in its seconds: it may go on from an earlier one.
        """
        self.folder = folder
        self.minute = LastMinute(interval, epoch, since_s)
        self._epoch, self._clock, self._since_s = epoch, clock, since_s
        self._dataset = CsvFollower(folder / DATASET, self.minute.skip, FIRST_READ)
        self._events: dict[
            Path, tuple[CsvFollower, EventTracker]
        ] = {}  # pytest-xdist workers have a file of their own each
        self._newest_at = clock()

    def read(self) -> None:
        """Take in what there is.

        Raises:
            OSError: A file is there and cannot be read.
            ValueError: A file is no table.
        """
        before = self.minute.elapsed_s
        for row in self._dataset.rows():
            self.minute.add(row)
        if self.minute.elapsed_s != before:
            self._newest_at = self._clock()
        for path in (self.folder / ANNOTATIONS, *self.folder.parts(ANNOTATIONS)):
            if path not in self._events:
                events = EventTracker(self._epoch, self._since_s)
                self._events[path] = CsvFollower(path, events.begin), events
        for tail, events in self._events.values():
            for row in tail.rows():
                events.add(row)

    def close(self) -> None:
        """Let go of the files."""
        for tail in (self._dataset, *(tail for tail, _ in self._events.values())):
            tail.close()

    @property
    def silent_s(self) -> float:
        """Seconds since the last new row was seen, or since the beginning."""
        return self._clock() - self._newest_at

    @property
    def elapsed_s(self) -> float:
        """Seconds since the run began, from the newest row and the time since it was seen."""
        return (self.minute.elapsed_s or 0.0) + self.silent_s

    @property
    def running(self) -> list[RunningItem]:
        """What has begun and not ended, the oldest first."""
        return sorted(each for events in self._found() for each in events.running)

    @property
    def ended(self) -> EndCounts:
        """What is over."""
        return EndCounts(*(sum(counts) for counts in zip(*(events.ended for events in self._found()), strict=True)))

    def _found(self) -> Iterable[EventTracker]:
        return [events for _, events in self._events.values()] or [EventTracker()]
