"""One attempt of one test, as a recording keeps it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_twin.model import attempt as figures
from pytest_twin.model import event
from pytest_twin.model.event import Event
from pytest_twin.model.table import record
from pytest_twin.run_folder import folder_of

if TYPE_CHECKING:
    from pytest_twin.model.attempt import Counters
    from pytest_twin.recording import Recording


class Attempt:
    """One attempt of one test: its events, its exact figures, its row of tests.csv.

    Attributes:
        nodeid: The test.
        id: The name of its events.
        load: What it runs under, for the row.
        asks: Whether the test uses a marker or a fixture of ours; None until it is called.
        number: 1, and more where a plugin runs the test again.
        outcome: How it went, so far.
        is_over: Whether its row is written.
    """

    def __init__(self, recording: Recording, nodeid: str, number: int) -> None:
        """Begin to account for it."""
        self.nodeid = nodeid
        self.load = ""
        self.asks: bool | None = None
        self.number, self.outcome, self.is_over = number, "", False
        self._recording = recording
        self.id = recording.new_id("t")
        self._phases: dict[str, list[Counters]] = {}
        self._exact: list[float | None] = [None] * len(figures.EXACT)
        self.began = recording.elapsed()
        recording.emit(Event(self.began, event.START, self.id, event.TEST, nodeid))
        recording.meter.forget_peak()
        self._account = recording.account(just_now=True)

    @property
    def folder(self) -> str:
        """The folder of its own within the run folder, whether or not it gets one."""
        return folder_of(self.nodeid, self.number, self._recording.worker if self._recording.apart else "")

    def border(self, phase: str) -> None:
        """Here a phase (``setup``, ``call`` or ``teardown``) begins, or ends: what is in between is accounted for."""
        self._phases.setdefault(phase, []).append(self._recording.meter.counters())

    def runs_under(self, load: str) -> None:
        """Add to what it runs under."""
        self.load = f"{self.load} {load}".strip()

    def finish(self) -> list[tuple[str, object]]:
        """Take its last figures; comes back with those for reports: CPU seconds, peak memory, the load."""
        recording = self._recording
        self._exact = figures.figures(self._phases, self._account, recording.account(), recording.meter.peak())
        return figures.properties(self._exact, self.load)

    def end(self, *, keep: bool) -> None:
        """Write its row and its end; `keep` gives it a folder of its own."""
        recording = self._recording
        ended = recording.elapsed()
        began = (recording.clock.stamp(self.began), f"{self.began:.4f}", f"{ended - self.began:.6f}")
        who = (self.nodeid, str(self.number), recording.worker, recording.host, self.outcome)
        exact = (*figures.walls(self._phases), *figures.cells(self._exact))
        recording.write_test(record((*who, *began, *exact, self.load, self.folder if keep else "", "")))
        recording.emit(Event(ended, event.END, self.id, event.TEST, self.nodeid, detail=self.outcome))
        self.is_over = True
        self._phases = {}  # which would be kept as long as the test
