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
from pytest_twin.recording.outcome import PASSED, combine_phases
from pytest_twin.run_folder.layout import folder_of_test
from pytest_twin.telemetry.process_counters import read_self

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_twin.analysis.budgets.budget import Budget, LimitVerdict
    from pytest_twin.loads.applied import AppliedLoad
    from pytest_twin.model.attempt_row import PhaseUsage
    from pytest_twin.recording.budget_usage import BudgetUsage
    from pytest_twin.recording.constraints import ConstraintBorder
    from pytest_twin.recording.recording import Recording
    from pytest_twin.telemetry.process_counters import Borders

UNKNOWN_CHILDREN = figures.ChildCounters(None, None, None, None)
UNKNOWN_FIGURES: Sequence[float | None] = (None,) * len(figures.EXACT)
UNKNOWN_MEMORY = figures.memory_figures(None, None, None)
NO_CHILDREN = UNKNOWN_CHILDREN._replace(peak=inf)  # no later peak counts as higher
NO_CONSTRAINTS = figures.ConstraintFigures()
CELLS = CellFormatter([column for column in figures.COLUMNS if column.name != event.HOST], "\n")  # it is in `place`


class RecordedAttempt:
    """One attempt of one test.

    Attributes:
        nodeid: The id of the test.
        id: The id of its events.
        began: The elapsed seconds of the run when it began.
        load: The text of all loads that it runs under, for its row.
        applied_loads: The loads that were applied around its body.
        is_repetition: Whether it is a repetition, which pytest does not report.
        has_request: Whether its body was called for a marker of pytest-twin.
        number: The number of the attempt, more than 1 where a plugin runs the test again.
        borders: Of each phase (``setup``, ``call`` or ``teardown``) that was reached, where it began and ended.
        phase_outcomes: The outcomes of phases that have ended and not just passed.
        verdicts: The verdicts on its budget, once its body has ended.
        verdict: The same as a cell of tests.csv.
    """

    __slots__ = (
        "_border", "_cell", "_children", "_constraints", "_cpu_wait_s", "_earlier_peak", "_ended", "_exact",
        "_has_row", "_is_interrupted", "_memory", "_process", "_recording", "_resident_before", "_stamp",
        "_wait_paused", "_waited_before", "applied_loads", "began", "borders", "has_request", "id",
        "is_repetition", "load", "nodeid", "number", "phase_outcomes", "verdict", "verdicts",
    )  # fmt: skip

    def __init__(self, recording: Recording, nodeid: str, number: int, *, is_repetition: bool = False) -> None:
        """Begin to count what it uses, and write its start."""
        self.nodeid, self.number, self.is_repetition = nodeid, number, is_repetition
        self.load = self.verdict = ""
        self.applied_loads: Sequence[AppliedLoad] = ()
        self.verdicts: Sequence[LimitVerdict] = ()
        self.has_request = False
        self.phase_outcomes: dict[str, str] = {}
        self.borders: dict[str, Borders] = {}
        self._is_interrupted = self._has_row = False
        self._exact, self._memory = UNKNOWN_FIGURES, UNKNOWN_MEMORY
        self._earlier_peak: int | None = None  # of memory, before the kernel's mark was reset
        self._resident_before: int | None = None
        self._waited_before: int | None = None  # nanoseconds, for a CPU
        self._wait_paused: int | None = None
        self._cpu_wait_s: float | None = None
        self._constraints, self._children = NO_CONSTRAINTS, NO_CHILDREN
        self._border: ConstraintBorder | None = None
        self._recording, self._process = recording, os.getpid()
        clock, now = recording.clock, monotonic()
        self.began = self._ended = now - clock.began
        self.id, self._cell, self._stamp = recording.new_id("t"), cell(nodeid), clock.stamp(self.began)
        try:
            self._resident_before, self._children, self._waited_before = recording.process_counters.begin_test(now)
            self._border = recording.constraints.begin_attempt()
        except Exception as error:  # noqa: BLE001 - it must not reach the test
            recording.guard.report(error)
        try:
            # last: an interrupt before this line leaves no start without an end
            recording.emit_test(event.START, self.id, nodeid, self._cell, self.began, self._stamp)
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

    def is_over_budget(self, inconclusive: str) -> bool:
        """Return whether its budget fails it, as `is_broken` does."""
        if self.verdict in figures.WITHIN_BUDGET:
            return False
        from pytest_twin.analysis.budgets.budget import is_broken

        return is_broken(self.verdicts, inconclusive)

    def begin_phase(self, phase: str) -> Borders:
        """Read the counters where a phase begins; what they are where it ends has to be appended."""
        self.borders[phase] = borders = [monotonic(), read_self()]
        return borders

    @property
    def is_in_body(self) -> bool:
        """Whether its body is running."""
        return len(self.borders.get("call", ())) == 2

    def interrupt(self) -> None:
        """Set its outcome: the end of the session interrupts it."""
        self._is_interrupted = True

    @property
    def outcome(self) -> str:
        """Its outcome so far; empty before its first phase has ended."""
        if self._is_interrupted:
            return figures.INTERRUPTED
        if not self.phase_outcomes and len(self.borders) == len(figures.PHASES):
            return PASSED
        ended = {phase: PASSED for phase, borders in self.borders.items() if len(borders) > 2}
        outcomes = ended | self.phase_outcomes
        return combine_phases(outcomes) if outcomes else ""

    def add_load(self, load: str) -> None:
        """Add a load to the text of those that it runs under."""
        self.load = f"{self.load} {load}".strip()

    def pause_cpu_wait(self) -> None:
        """Stop to count how long it waits for a CPU, where a load begins or ends."""
        self._wait_paused = self._recording.process_counters.cpu_wait_ns()

    def resume_cpu_wait(self) -> None:
        """Count on, if that was paused."""
        paused, self._wait_paused = self._wait_paused, None
        now = None if paused is None else self._recording.process_counters.cpu_wait_ns()
        if paused is not None and now is not None and self._waited_before is not None:
            self._waited_before += now - paused

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
        from pytest_twin.analysis.budgets.budget import judge_run, verdict_cell

        used = usage.until_now(self.call_s, self._read_body_usage)
        self.verdicts = [*self.verdicts, *judge_run(budget, used), *of_repetitions]
        self.verdict = verdict_cell(self.verdicts)

    @property
    def call_s(self) -> float:
        """The wall time of its body in seconds."""
        began, _, ended, _ = self.borders["call"]
        seconds: float = ended - began
        return seconds

    @property
    def cpu_s(self) -> float | None:
        """CPU seconds of its body and of its children, once it is finished; None where they are unknown."""
        return figures.add(self._read_body_usage().cpu_s, self._exact[figures.CHILDREN_CPU])

    def _read_body_usage(self) -> PhaseUsage:
        return self._recording.process_counters.usage([self.borders["call"]])

    def _keep_peak(self, at_least: int = 0) -> None:
        try:
            peak = self._recording.process_counters.peak_bytes(at_least) or 0
        except Exception as error:  # noqa: BLE001
            self._recording.guard.report(error)
            return
        self._earlier_peak = max(peak, self._earlier_peak or 0) or None

    def finish(self) -> list[tuple[str, object]]:
        """Compute its figures so far, and return those that pytest's reports carry as properties."""
        recording, before = self._recording, self._resident_before
        after, children, waited, usage = None, UNKNOWN_CHILDREN, None, figures.UNKNOWN_USAGE
        if 2 in map(len, self.borders.values()):
            self._end_open_phases()
        try:
            recording.reopen_files()
            counters = recording.process_counters
            after, children, waited = counters.end_test()
            usage = counters.usage(self.borders.values())
            if self._border is not None:
                self._constraints = recording.constraints.figures_since(self._border)
        except Exception as error:  # noqa: BLE001 - it must not reach the test
            recording.guard.report(error)
        self._keep_peak(max(before or 0, after or 0))
        if self._is_interrupted:  # it had no chance to give back what it holds
            after = None
        self._memory = figures.memory_figures(before, self._earlier_peak, after)
        self._exact = figures.exact_figures(usage, self._children, children, self._memory[0])
        if waited is not None and self._waited_before is not None:
            self._cpu_wait_s = (waited - self._waited_before) / 1e9
        self._ended = monotonic() - recording.clock.began
        return figures.properties(
            self._exact, self._memory, self.load, self.verdict, self._constraints, self._cpu_wait_s
        )

    def _end_open_phases(self) -> None:
        """Read the counters where an interrupt has kept that from the end of a phase."""
        for borders in self.borders.values():
            if len(borders) == 2:
                borders.extend((monotonic(), read_self()))

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
        stamp = recording.clock.stamp(self._ended)
        recording.emit_test(event.END, self.id, self.nodeid, self._cell, self._ended, stamp, outcome)

    def _row(self, outcome: str, folder: str) -> str:
        """Return its row of tests.csv."""
        began, (text, throttled), phases = self.began, self._constraints, self.borders
        zero = self._recording.clock.began + began
        set_up, call, teardown = phases.get("setup"), phases.get("call"), phases.get("teardown")
        _, before, growth, kept = self._memory
        verdict = self.verdict if self.verdict in figures.WITHIN_BUDGET else cell(self.verdict)
        values = (
            self._cell, self.number, self._recording.place, outcome, self._stamp,
            began, self._ended - began,
            None if set_up is None else set_up[2] - set_up[0],
            None if call is None else call[2] - call[0],
            None if teardown is None else teardown[2] - teardown[0],
            *self._exact,
            self.load and cell(self.load), verdict, folder and cell(folder),
            None, before, growth, kept, throttled, text and cell(text),
            None if set_up is None else set_up[0] - zero,
            None if call is None else call[0] - zero,
            None if teardown is None else teardown[0] - zero,
            self._cpu_wait_s,
        )  # fmt: skip
        return CELLS.line(values)
