"""Follow the run folder of an active run: the last minute of samples, and what is running."""

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
    """Reads new rows of a run folder, and keeps the last minute of them.

    Attributes:
        folder: The run.
        minute: Its last minute of samples.
    """

    def __init__(
        self,
        folder: RunFolder,
        interval: float | None = None,
        epoch: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        since_s: float = 0.0,
    ) -> None:
        """Prepare to follow a folder, which need not exist yet.

        Args:
            folder: The run.
            interval: Seconds between two rows; None derives it from the rows.
            epoch: Start of the run, in seconds since 1970; None is the latest run in the files.
            clock: Returns the monotonic time.
            since_s: Start of the part of the run to show, in its seconds: it may continue an earlier recording.
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
        """Read the new rows.

        Raises:
            OSError: A file exists and cannot be read.
            ValueError: A file is not CSV.
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
        """Close the files."""
        for tail in (self._dataset, *(tail for tail, _ in self._events.values())):
            tail.close()

    @property
    def silent_s(self) -> float:
        """Seconds since the last new row, or since the start."""
        return self._clock() - self._newest_at

    @property
    def elapsed_s(self) -> float:
        """Seconds since the run began, from the newest row and the time since it was read."""
        return (self.minute.elapsed_s or 0.0) + self.silent_s

    @property
    def running(self) -> list[RunningItem]:
        """What has started and not ended, the oldest first."""
        return sorted(each for events in self._found() for each in events.running)

    @property
    def ended(self) -> EndCounts:
        """The number of ended tests and loads."""
        return EndCounts(*(sum(counts) for counts in zip(*(events.ended for events in self._found()), strict=True)))

    def _found(self) -> Iterable[EventTracker]:
        return [events for _, events in self._events.values()] or [EventTracker()]
