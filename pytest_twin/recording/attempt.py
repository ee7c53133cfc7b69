"""One attempt of one test: its events, its exact figures, and its row of tests.csv."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from pytest_twin._system.clock import monotonic
from pytest_twin._system.stdlib import os
from pytest_twin.model import attempt_row as figures
from pytest_twin.model import event
from pytest_twin.model.columns import CellFormatter
from pytest_twin.model.csv_text import cell
from pytest_twin.recording.outcome import combine_phases
from pytest_twin.run_folder.layout import folder_of_test

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_twin.analysis.budgets.budget import Budget, LimitVerdict
    from pytest_twin.loads.applied import AppliedLoad
    from pytest_twin.model.attempt_row import BorderCounters
    from pytest_twin.recording.budget_usage import BudgetUsage
    from pytest_twin.recording.constraints import ConstraintBorder
    from pytest_twin.recording.recording import Recording

UNKNOWN_CHILDREN = figures.ChildCounters(None, None, None, None)
UNKNOWN_FIGURES: Sequence[float | None] = (None,) * len(figures.EXACT)
UNKNOWN_MEMORY = figures.ResidentBytes(None, None, None).figures()
NO_CHILDREN = UNKNOWN_CHILDREN._replace(peak=inf)  # no later peak counts as higher
NO_CONSTRAINTS = figures.ConstraintFigures()
CELLS = CellFormatter([column for column in figures.COLUMNS if column.name != event.HOST])  # it is in `place`


class RecordedAttempt:
    """One attempt of one test.

    Attributes:
        nodeid: The id of the test.
        id: The id of its events.
        began: The elapsed seconds of the run when it began.
        load: The text of all loads that it runs under, for its row.
        applied_loads: The loads that were applied around its body.
        is_repetition: Whether it is a repetition, which pytest does not report.
        uses_plugin: Whether the test uses a marker or a fixture of pytest-twin; None until it is called.
        is_in_body: Whether its body is running.
        number: The number of the attempt, more than 1 where a plugin runs the test again.
        phase_outcomes: The outcome of each phase, as far as it is known.
        verdicts: The verdicts on its budget, once its body has ended.
    """

    __slots__ = (
        "_border", "_children", "_constraints", "_earlier_peak", "_ended", "_exact", "_has_row", "_is_interrupted",
        "_memory", "_phases", "_process", "_recording", "_resident_before", "_stamp", "applied_loads", "began", "id",
        "is_in_body", "is_repetition", "load", "nodeid", "number", "phase_outcomes", "uses_plugin", "verdicts",
    )  # fmt: skip

    def __init__(self, recording: Recording, nodeid: str, number: int, *, is_repetition: bool = False) -> None:
        """Begin to count what it uses, and write its start."""
        self.nodeid, self.number, self.is_repetition = nodeid, number, is_repetition
        self.load = ""
        self.applied_loads: Sequence[AppliedLoad] = ()
        self.verdicts: Sequence[LimitVerdict] = ()
        self.uses_plugin: bool | None = None
        self.is_in_body = self._is_interrupted = self._has_row = False
        self.phase_outcomes: dict[str, str] = {}
        self._recording, self._process = recording, os.getpid()
        self.id = recording.new_id("t")
        self._phases: dict[str, list[BorderCounters]] = {}
        self._exact, self._memory = UNKNOWN_FIGURES, UNKNOWN_MEMORY
        self._earlier_peak: int | None = None  # of memory, before the kernel's mark was reset
        self._resident_before: int | None = None
        self._constraints = NO_CONSTRAINTS
        self._children = NO_CHILDREN
        self._border: ConstraintBorder | None = None
        self.began = self._ended = recording.elapsed()
        self._stamp = recording.clock.stamp(self.began)
        try:
            counters = recording.process_counters
            counters.reset_peak()
            self._resident_before = counters.resident_bytes()
            self._children = counters.read_children(just_now=True)
            self._border = recording.constraints.begin_attempt()
        except Exception as error:  # noqa: BLE001 - it must not reach the test
            recording.guard.report(error)
        try:
            # last: an interrupt before this line leaves no start without an end
            recording.emit_test(self.began, self._stamp, event.START, self.id, nodeid)
        except Exception as error:  # noqa: BLE001
            recording.guard.report(error)

    @property
    def achieved_loads(self) -> list[str]:
        """The loads around it, each with the achieved amount, once its body has ended."""
        return [f"{each.part} (achieved {each.achieved_text or 'nothing'})" for each in self.applied_loads]

    @property
    def folder(self) -> str:
        """The path of its own folder within the run folder, whether or not that is made."""
        return folder_of_test(self.nodeid, self.number, self._recording.worker if self._recording.dist_each else "")

    def _verdict(self) -> str:
        """Return the verdict on its budget, for the row; without one, nothing about budgets is imported."""
        if not self.verdicts:
            return ""
        from pytest_twin.analysis.budgets.budget import verdict_cell

        return verdict_cell(self.verdicts)

    def read_counters(self, phase: str) -> None:
        """Read the counters where a phase (``setup``, ``call`` or ``teardown``) begins, and where it ends."""
        try:
            reading = self._recording.process_counters.read_process()
        except Exception as error:  # noqa: BLE001 - it must not reach the test
            self._recording.guard.report(error)
            reading = figures.BorderCounters(monotonic())
        if phase in self._phases:
            self._phases[phase][1:] = (reading,)
        else:
            self._phases[phase] = [reading]

    def has_reached(self, phase: str) -> bool:
        """Return whether a phase has begun; where it begins again, that is another attempt."""
        return phase in self._phases

    def interrupt(self) -> None:
        """Set its outcome: the end of the session interrupts it."""
        self._is_interrupted = True

    @property
    def outcome(self) -> str:
        """Its outcome so far; empty before its first phase has ended."""
        if self._is_interrupted:
            return figures.INTERRUPTED
        return combine_phases(self.phase_outcomes) if self.phase_outcomes else ""

    def add_load(self, load: str) -> None:
        """Add a load to the text of those that it runs under."""
        self.load = f"{self.load} {load}".strip()

    def start_usage(self, budget: Budget) -> BudgetUsage:
        """Begin to count what the body uses, for the limits of a budget."""
        from pytest_twin.recording.budget_usage import OF_MEMORY, BudgetUsage

        if not OF_MEMORY.isdisjoint(budget.most):
            self._keep_peak()  # before it is reset
        return BudgetUsage(self._recording, budget.most)

    def judge(self, budget: Budget, usage: BudgetUsage, of_repetitions: Iterable[LimitVerdict]) -> None:
        """Set the verdicts on its budget, when its body has ended.

        Args:
            budget: Its limits.
            usage: What its body used.
            of_repetitions: The verdicts on the limits for which the test was repeated.
        """
        from pytest_twin.analysis.budgets.budget import judge_run

        self.verdicts = [*self.verdicts, *judge_run(budget, usage.until_now(self._phases["call"])), *of_repetitions]

    @property
    def call_s(self) -> float:
        """The wall time of its body in seconds."""
        began, ended = self._phases["call"]
        return ended.at - began.at

    @property
    def cpu_s(self) -> float | None:
        """CPU seconds of its body and of its children, once it is finished; None where they are unknown."""
        return figures.add(figures.cpu_s(*self._phases["call"]), self._exact[figures.CHILDREN_CPU])

    def _keep_peak(self) -> None:
        try:
            peak = self._recording.process_counters.peak_bytes() or 0
        except Exception as error:  # noqa: BLE001
            self._recording.guard.report(error)
            return
        self._earlier_peak = max(peak, self._earlier_peak or 0) or None

    def finish(self) -> list[tuple[str, object]]:
        """Compute its figures so far, and return those that pytest's reports carry as properties."""
        recording = self._recording
        for phase, readings in self._phases.items():
            if len(readings) % 2:  # an interrupt kept its end from being read
                self.read_counters(phase)
        self._keep_peak()
        resident, children = None, UNKNOWN_CHILDREN
        try:
            children = recording.process_counters.read_children()
            if not self._is_interrupted:  # such a test had no chance to give back what it holds
                resident = recording.process_counters.resident_bytes()
            if self._border is not None:
                self._constraints = recording.constraints.figures_since(self._border)
        except Exception as error:  # noqa: BLE001
            recording.guard.report(error)
        self._memory = figures.ResidentBytes(self._resident_before, self._earlier_peak, resident).figures()
        self._exact = figures.exact_figures(self._phases, self._children, children, self._memory[0])
        self._ended = recording.elapsed()
        return figures.properties(self._exact, self._memory, self.load, self._verdict(), self._constraints)

    def end(self, *, keep: bool) -> None:
        """Write its row and its end, unless this process is a fork that the test made.

        Args:
            keep: Whether it gets a folder of its own.
        """
        if self._process != os.getpid():
            return
        recording, outcome = self._recording, self.outcome
        if not self._has_row:  # an interrupt may have come between row and end
            recording.write_test(self._row(outcome, self.folder if keep else ""))
            self._has_row = True
        ended = self._ended
        recording.emit_test(ended, recording.clock.stamp(ended), event.END, self.id, self.nodeid, outcome)

    def _row(self, outcome: str, folder: str) -> str:
        """Return its row of tests.csv."""
        clock, began, phases, constraints = self._recording.clock, self.began, self._phases, self._constraints
        _, *memory = self._memory
        values = (
            cell(self.nodeid), self.number, self._recording.place, outcome, self._stamp,
            began, self._ended - began, *figures.phase_walls(phases), *self._exact,
            self.load and cell(self.load), cell(self._verdict()) if self.verdicts else "", folder and cell(folder),
            None, *memory, constraints.throttled_s, constraints.text and cell(constraints.text),
            *figures.phase_starts(phases, clock.began + began),
        )  # fmt: skip
        return CELLS.line(values) + "\n"
