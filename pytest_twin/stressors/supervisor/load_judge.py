"""Whether a load is what it should be, judged by the clock of whoever owns its workers and not by their last word."""

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

SILENT_S = 2.0  # who is not heard of for so long, and has something to do, is stopped or stuck
TICK_S = 0.01  # of the slowest Linux kernel (HZ=100): a scheduler gives and takes a CPU no more finely than that
STOPPED = {"T": "; it is stopped", "t": "; it is stopped by a debugger"}
WAITS = {"D": "; it waits for a disk"}


class WorkerRecord:
    """What one worker told, and when; times are seconds since the load was ready.

    Attributes:
        pid: Its process.
        piece: How much of its figure it adds at once.
        heard_at: When it told anything, in the time of loads.
        changed_at: When its figure became another.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.piece = self.heard_at = self.changed_at = 0.0
        self._value = self._area = self._at = 0.0

    def take(self, value: float, at: float) -> None:
        """Note its figure."""
        if value != self._value:
            self.changed_at = at
        self._area += (self._value + value) / 2 * (at - self._at)
        self._value, self._at = value, at

    def area(self, at: float) -> float:
        """Its figure times the time up to then."""
        return self._area + self._value * (at - self._at)


class LoadJudge:
    """Whether one load is what it should be."""

    def __init__(self, request: LoadRequest) -> None:
        """Know what is asked.

        Raises:
            ImportError: There is no such stressor.
            OSError, ValueError: What is asked has no meaning here.
        """
        module, job = import_module(request.module), Job(request)
        kind = getattr(module, "KIND", None)
        self.records: Sequence[WorkerRecord] = ()
        self._asked: Profile | None = None
        if hasattr(module, "asked"):
            self._asked = module.asked(job)
        elif kind is not None and job.unit in {RATE, OPS}:
            self._asked = job.profile
        self._level: str = kind.level if kind is not None else ""
        self._told: str = self._level or (kind.measure if kind is not None else "")
        self._figure = f"mean_{self._level}" if self._level else self._told

    def hear(self, record: WorkerRecord, achieved: Figures, at: float) -> None:
        """Take in the figures of a worker."""
        value = achieved.get(self._told, 0.0)
        if not isinstance(value, str):
            record.take(value, at)

    def figures(self, held_s: float) -> dict[str, float | str]:
        """How long it was there, and what was asked in that time."""
        found: dict[str, float | str] = {"held_s": held_s}
        if self._asked is not None and held_s > 0:
            per_s = held_s if self._level else 1.0
            if self._level:
                found[self._figure] = sum(record.area(held_s) for record in self.records) / per_s
            found[f"asked_{self._figure}"] = self._asked.integral(held_s) / per_s
        return found

    def shortfall(self, achieved: Figures, held_s: float) -> str:
        """What to say of it at its end, if it got much less than it asked for.

        It may be short of a kernel's tick, at its beginning or its end, and of what each worker adds at once.
        """
        if self._asked is None or held_s <= 0:
            return starved(achieved)
        per_s = held_s if self._level else 1.0
        tolerance = TICK_S * self._asked.peak / per_s + sum(record.piece for record in self.records)
        return starved(achieved, {self._figure: tolerance})

    def stuck(self, record: WorkerRecord, now: float, held_s: float) -> str:
        """What to say of a worker that is stopped, or does nothing though something is due; empty where it is not so.

        Not everyone who is silent is: what a stressor waits for may take long, and it may have nothing to do.
        """
        silent_s, idle_s = now - record.heard_at, held_s - record.changed_at
        if max(silent_s, idle_s) < SILENT_S:
            return ""
        state, is_due = process_state(record.pid), idle_s >= SILENT_S and self._due(record, held_s)
        if silent_s >= SILENT_S and (is_due or state in STOPPED):
            return f"has not reported for {silent_s:.1f} s{doing(state)}"
        return f"has done nothing for {idle_s:.1f} s{doing(state)}" if is_due else ""

    def _due(self, record: WorkerRecord, held_s: float) -> bool:
        """Whether a worker had something to do since its figure became another."""
        if self._asked is None or self._level:
            return False
        due = self._asked.integral(held_s) - self._asked.integral(record.changed_at)
        return due / len(self.records) > 2 * record.piece


def doing(state: str) -> str:
    """What to say of such a state."""
    return {**STOPPED, **WAITS}.get(state, "")
