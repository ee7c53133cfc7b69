"""One attempt of one test, as a recording keeps it."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from pytest_twin._system.clock import monotonic
from pytest_twin._system.stdlib import os
from pytest_twin.model import attempt_row as figures
from pytest_twin.model import event
from pytest_twin.model.csv_text import record
from pytest_twin.model.event import Event
from pytest_twin.recording.outcome import of_phases
from pytest_twin.run_folder.layout import folder_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_twin.analysis.budgets.budget import Budget, LimitVerdict
    from pytest_twin.loads.applied import AppliedLoad
    from pytest_twin.model.attempt_row import BorderCounters
    from pytest_twin.recording.budget_usage import BudgetUsage
    from pytest_twin.recording.recording import Recording

NOT_COUNTED = figures.ChildCounters(None, None, None, None)
NOT_KNOWN, NOT_SEEN = (None,) * len(figures.EXACT), figures.ResidentBytes(None, None, None)


class RecordedAttempt:
    """One attempt of one test: its events, its exact figures, its row of tests.csv.

    Attributes:
        nodeid: The test.
        id: The name of its events.
        began: When, in seconds since the run did.
        load: What it runs under, for the row.
        applied: The loads around it.
        is_repetition: Whether it is one of many runs of the same test, only the last of which is reported.
        call_s: How long its body took, once it has ended.
        cpu_s: CPU seconds of its body, and of its children, once it is finished; None where that is not told.
        asks: Whether the test uses a marker or a fixture of ours; None until it is called.
        is_in_body: Whether its body is running.
        number: 1, and more where a plugin runs the test again.
        outcome: How it went, so far.
        findings: The verdicts on its budget, once its body has ended.
    """

    __slots__ = (
        "_before", "_children", "_ended", "_exact", "_has_row", "_mark", "_phases", "_process", "_recording",
        "_resident", "_went", "applied", "asks", "began", "call_s", "cpu_s", "findings", "id", "is_in_body",
        "is_repetition", "load", "nodeid", "number", "outcome",
    )  # fmt: skip

    def __init__(self, recording: Recording, nodeid: str, number: int, *, is_repetition: bool = False) -> None:
        """Begin to account for it."""
        self.nodeid = nodeid
        self.load = ""
        self.applied: Sequence[AppliedLoad] = ()
        self.is_repetition = is_repetition
        self.call_s = 0.0
        self.cpu_s: float | None = None
        self.asks: bool | None = None
        self.is_in_body = False
        self.number, self.outcome = number, ""
        self._went: dict[str, str] = {}
        self._recording, self._process = recording, os.getpid()
        self.id = recording.new_id("t")
        self._phases: dict[str, list[BorderCounters]] = {}
        self._exact: Sequence[float | None] = NOT_KNOWN
        self.findings: Sequence[LimitVerdict] = ()
        self._resident = NOT_SEEN
        self._mark: int | None = None  # of memory, before it was reset
        self.began = self._ended = recording.elapsed()
        self._has_row = False
        self._before: int | None = None
        self._children = NOT_COUNTED._replace(peak=inf)  # no later one is known to be higher
        with recording.guard:
            recording.meter.forget_peak()
            self._before = recording.meter.resident()
            self._children = recording.meter.children(just_now=True)
        with recording.guard:
            # last: whoever is interrupted before has begun nothing that is to be ended
            recording.emit(Event(self.began, event.START, self.id, event.TEST, nodeid))

    @property
    def had(self) -> list[str]:
        """The loads around it, with what there was of each, once its body has ended."""
        return [f"{each.part} (achieved {each.achieved_text or 'nothing'})" for each in self.applied]

    @property
    def folder(self) -> str:
        """The folder of its own within the run folder, whether or not it gets one."""
        return folder_of(self.nodeid, self.number, self._recording.worker if self._recording.dist_each else "")

    @property
    def _verdict(self) -> str:
        """The verdict on its budget, for the row; most tests have none, and need not know what budgets are."""
        if not self.findings:
            return ""
        from pytest_twin.analysis.budgets.budget import cell

        return cell(self.findings)

    def border(self, phase: str) -> None:
        """Here a phase (``setup``, ``call`` or ``teardown``) begins, or ends: what is in between is accounted for."""
        recording = self._recording
        reading = recording.guard.value(recording.meter.counters, None) or figures.BorderCounters(monotonic())
        if phase in self._phases:
            self._phases[phase].append(reading)
        else:
            self._phases[phase] = [reading]

    def has_begun(self, phase: str) -> bool:
        """Whether it has come to a phase: who begins that again makes another attempt."""
        return phase in self._phases

    def went(self, phase: str, outcome: str) -> None:
        """Learn how a phase of it went, or, if that was known, how it went after all."""
        self._went[phase] = outcome
        self.outcome = of_phases(self._went)

    def runs_under(self, load: str) -> None:
        """Add to what it runs under."""
        self.load = f"{self.load} {load}".strip()

    def spending(self, budget: Budget) -> BudgetUsage:
        """Count what is spent from now on of what has a budget."""
        from pytest_twin.recording.budget_usage import BudgetUsage

        self._keep_mark()
        return BudgetUsage(self._recording, with_orphans="children_cpu_seconds" in budget.most)

    def judge(self, budget: Budget, spending: BudgetUsage, found: Iterable[LimitVerdict]) -> None:
        """Its body has ended: was it within the budget?

        Args:
            budget: Its limits.
            spending: What it spent.
            found: What its repetitions told.
        """
        from pytest_twin.analysis.budgets.budget import judged

        self.findings = [*self.findings, *judged(budget, spending.until_now(self._phases["call"])), *found]

    def _keep_call(self) -> None:
        """How long its body took, and with how much CPU time."""
        began, ended = self._phases["call"][-2:]
        self.call_s = ended.at - began.at
        self.cpu_s = figures.together(figures.cpu_s(began, ended), self._exact[figures.CHILDREN_CPU])

    def _keep_mark(self) -> None:
        mark = self._recording.guard.value(self._recording.meter.peak, None)
        self._mark = max(filter(None, (self._mark, mark)), default=None)

    def finish(self) -> list[tuple[str, object]]:
        """Take its figures, the last ones if it has come to its end; comes back with those for reports."""
        recording = self._recording
        for phase, readings in self._phases.items():
            if len(readings) % 2:  # an interrupt came where it ended
                self.border(phase)
        self._keep_mark()
        resident = recording.guard.value(recording.meter.resident, None)
        self._resident = figures.ResidentBytes(self._before, self._mark, resident)
        children = recording.guard.value(recording.meter.children, NOT_COUNTED)
        self._exact = figures.figures(self._phases, self._children, children, self._resident.peak)
        if "call" in self._phases:
            self._keep_call()
        self._ended = recording.elapsed()
        return figures.properties(self._exact, self._resident, self.load, self._verdict)

    def end(self, *, keep: bool) -> None:
        """Write its row and its end; `keep` gives it a folder of its own.

        A fork that the test made, and that comes to its end too, writes none: it did not begin it.
        """
        if self._process != os.getpid():
            return
        recording, ended = self._recording, self._ended
        began = (recording.clock.stamp(self.began), f"{self.began:.4f}", f"{ended - self.began:.6f}")
        who = (self.nodeid, str(self.number), recording.worker, recording.host, self.outcome)
        exact = (*figures.walls(self._phases), *figures.cells(self._exact))
        if not self._has_row:  # an interrupt may have come between row and end
            around = (self.load, self._verdict, self.folder if keep else "", "")
            recording.write_test(record((*who, *began, *exact, *around, *self._resident.cells())))
            self._has_row = True
        recording.emit(Event(ended, event.END, self.id, event.TEST, self.nodeid, detail=self.outcome))
