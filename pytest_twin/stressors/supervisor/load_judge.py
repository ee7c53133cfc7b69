"""Verdicts on a load: starved or stuck, by the clock of the supervisor and not by the last report of a worker."""

from __future__ import annotations

from importlib import import_module

from pytest_twin.stressors.spec.kind import OPS, RATE
from pytest_twin.stressors.spec.starvation import starved
from pytest_twin.stressors.system.parent import process_state
from pytest_twin.stressors.worker.job import Job

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_twin.stressors.spec.profile import Profile
    from pytest_twin.stressors.spec.request import LoadRequest

    Figures = Mapping[str, float | str]

SILENCE_LIMIT_S = 2.0  # a worker that does not report for so long, and has something to do, is stopped or stuck
TICK_S = 0.01  # of the slowest Linux kernel (HZ=100): a scheduler gives and takes a CPU no more finely than that
STOPPED = {"T": "; it is stopped", "t": "; it is stopped by a debugger"}
WAITING = {"D": "; it waits for a disk"}


class WorkerRecord:
    """The reports of one worker; times are seconds since the load was ready.

    Attributes:
        pid: The process id of the worker.
        piece: How much the worker adds to its figure at once.
        last_report_at: When it reported last, in the time of loads.
        changed_at: When its figure changed last.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.piece = self.last_report_at = self.changed_at = 0.0
        self._value = self._integral = self._at = 0.0

    def update(self, value: float, at: float) -> None:
        """Record the figure at a time."""
        if value != self._value:
            self.changed_at = at
        self._integral += (self._value + value) / 2 * (at - self._at)
        self._value, self._at = value, at

    def integral(self, at: float) -> float:
        """Return the integral of the figure over time, from ready until then."""
        return self._integral + self._value * (at - self._at)


class LoadJudge:
    """Compares the figures of one load with its request.

    Attributes:
        records: The reports of its workers.
        late_s: How much of the profile was over when the load was ready.
    """

    def __init__(self, request: LoadRequest) -> None:
        """Find out what the request asks for, over time.

        Raises:
            ImportError: There is no such stressor.
            OSError, ValueError: The request has no meaning on this machine.
        """
        module, job = import_module(request.module), Job(request)
        kind = getattr(module, "KIND", None)
        self.records: Sequence[WorkerRecord] = ()
        self.late_s = 0.0
        self._requested: Profile | None = None
        if hasattr(module, "asked"):
            self._requested = module.asked(job)
        elif kind is not None and job.unit in {RATE, OPS}:
            self._requested = job.profile
        is_work = kind is not None and job.unit in kind.fixed and not job.options.get("loop")
        self._work = job.profile.peak if is_work else None
        self._level: str = kind.level if kind is not None else ""
        self._reported: str = self._level or (kind.measure if kind is not None else "")
        self._figure = f"mean_{self._level}" if self._level else self._reported

    def update(self, record: WorkerRecord, achieved: Figures, at: float) -> None:
        """Record the figures that a worker has reported at a time."""
        value = achieved.get(self._reported, 0.0)
        if not isinstance(value, str):
            record.update(value, at)

    def figures(self, held_s: float) -> dict[str, float | str]:
        """Return the seconds that the load was applied, and the figure that was requested for that time."""
        found: dict[str, float | str] = {"held_s": held_s}
        if self._requested is not None and held_s > 0:
            per_s = held_s if self._level else 1.0
            if self._level:
                found[self._figure] = sum(record.integral(held_s) for record in self.records) / per_s
            found[f"asked_{self._figure}"] = self._asked(held_s) / per_s
        return found

    def shortfall(self, achieved: Figures, held_s: float, *, is_timed: bool = False) -> str:
        """Return a description of a load that has achieved much less than requested; empty if it has not.

        A kernel's tick at its beginning or end may be missing, and what each worker adds at once.

        Args:
            achieved: Its figures.
            held_s: Seconds for which it was applied.
            is_timed: Whether its duration is over; only then is all of a piece of work due.
        """
        if is_timed and self._work is not None:
            achieved = {**achieved, f"asked_{self._figure}": self._work}
        if self._requested is None or held_s <= 0:
            return starved(achieved)
        per_s = held_s if self._level else 1.0
        tolerance = TICK_S * self._requested.peak / per_s + sum(record.piece for record in self.records)
        return starved(achieved, {self._figure: tolerance})

    def why_stuck(self, record: WorkerRecord, now: float, held_s: float) -> str:
        """Return a description of a worker that is stopped, or makes no progress though it should; empty otherwise.

        A silent worker need not be stuck: it may wait for something for long, or have nothing to do.
        """
        silent_s, idle_s = now - record.last_report_at, held_s - record.changed_at
        if max(silent_s, idle_s) < SILENCE_LIMIT_S:
            return ""
        state, is_due = process_state(record.pid), idle_s >= SILENCE_LIMIT_S and self._is_due(record, held_s)
        if silent_s >= SILENCE_LIMIT_S and (is_due or state in STOPPED):
            return f"has not reported for {silent_s:.1f} s{describe_state(state)}"
        return f"has made no progress for {idle_s:.1f} s{describe_state(state)}" if is_due else ""

    def _is_due(self, record: WorkerRecord, held_s: float) -> bool:
        """Return whether a worker has left undone for too long what was due since its figure changed."""
        if self._requested is None or self._level:
            return False
        due = self._asked(held_s - SILENCE_LIMIT_S) - self._asked(record.changed_at)
        return due / len(self.records) > 2 * record.piece

    def _asked(self, held_s: float) -> float:
        """Return the integral of the request from when the load was ready until then."""
        if self._requested is None:
            return 0.0
        return self._requested.integral(self.late_s + held_s) - self._requested.integral(self.late_s)


def describe_state(state: str) -> str:
    """Return a clause on the state of a process that is not running; empty for other states."""
    return {**STOPPED, **WAITING}.get(state, "")
