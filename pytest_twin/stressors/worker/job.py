"""The job of one worker process, through which a stressor is paced and reports."""

from __future__ import annotations

import json
import os
import signal
import sys
import time

from pytest_twin.stressors.spec.profile import Profile
from pytest_twin.stressors.spec.request import BESIDE, LATE
from pytest_twin.stressors.worker import shared_counters

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pytest_twin.stressors.spec.request import LoadRequest

REPORT_EVERY_S = 0.2
LONGEST_SLEEP_S = 0.05  # in which a pause may begin
GRACE_S = 10.0  # after the end of a load, until the kernel kills its workers


class Job:
    """One load as one of its worker processes sees it.

    Attributes:
        unit: The unit of the profile's values, one of `pytest_twin.stressors.spec.kind`.
        profile: The load over time.
        options: The modifiers of the load by name (``block``, ``pause``, ``loop``, ``directory``).
        seed: The seed of every random choice of the stressor.
        strict: Whether the load fails if it achieves less than requested.
        workers: The number of processes that share this load.
        index: The number of this process among them, from 0.
        achieved: The figures so far, counted from when the load is ready. A stressor updates them, `tick` and `ready`
            report them. A figure ``asked_X`` is the requested value of the figure X; for the figures that the `Kind` of
            the stressor names, the supervisor adds it.
        piece: How much a worker adds to its figure at once: for a moment, so much may be missing.
        children_cpu_s: CPU seconds of the processes that this one has started.
        beside_cpu_s: CPU seconds that other loads of the same replay have used in place of this worker.
        began: `now` at the beginning of its profile: when the load was ready, or, for a replay, at its start.
        pipe: The descriptor that reports are written to; at its end the supervisor takes the worker for ended.
    """

    def __init__(self, request: LoadRequest, index: int = 0, workers: int = 1) -> None:
        self.unit = request.unit
        self.profile = Profile([(float(at), float(value)) for at, value in request.profile])
        self.options = dict(request.options)
        self.seed = request.seed
        self.strict = bool(self.options.get("strict"))
        self.workers, self.index = workers, index
        self._duration = request.duration
        self.achieved: dict[str, float | str] = {}
        self.piece = 0.0
        self.children_cpu_s = self.beside_cpu_s = 0.0
        self._paused_s = 0.0
        self.began = self.now()
        self._profile_from: float | None = None
        self.pipe: int | None = None
        self._reported_at = self.began
        self._cpu_s_before_ready = 0.0
        self._is_ready = False
        self._wait_for_others: Callable[[], float] = time.monotonic

    def attach(self, pipe: int, wait_for_others: Callable[[], float]) -> None:
        """Start the job in this process.

        Args:
            pipe: The descriptor that reports are written to.
            wait_for_others: Waits until all workers are ready and returns the `time.monotonic` of that moment.
        """
        self.pipe, self._wait_for_others = pipe, wait_for_others
        self.began = self._reported_at = self.now()
        if LATE in self.options:
            self._profile_from = self.began - float(self.options[LATE])

    def now(self) -> float:
        """Return `time.monotonic` minus the time in which the load was paused; a load is paced by it."""
        return time.monotonic() - self._paused_s

    def pause(self, until: Callable[[], object]) -> None:
        """Stop the time of the load, and its deadline, until a call returns."""
        began = time.monotonic()
        remaining_s = _set_deadline(0.0)
        until()
        self._paused_s += time.monotonic() - began
        _set_deadline(remaining_s)

    def rest(self, until: Callable[[], object]) -> None:
        """Report that the load is over, wait until a call returns, and begin again for the next load.

        Args:
            until: Returns when the next load begins, or raises what ends the worker.
        """
        _set_deadline(0.0)
        self.report(resting=True)
        until()
        self.achieved, self._paused_s, self._is_ready = {}, 0.0, False
        self.began = self._reported_at = self.now()

    def target(self) -> float:
        """Return the value of the profile at this time; before the load is ready, its first value."""
        return self.profile.at(self._elapsed())

    def asked_between(self, since: float, until: float, profile: Profile | None = None) -> float:
        """Return the integral of the profile, or of another one, between two times of `now`."""
        of = profile or self.profile
        return of.integral(until - self.began) - of.integral(since - self.began)

    def used_beside(self) -> float:
        """Return the CPU seconds that other loads of the same replay have used in place of this worker since last."""
        if BESIDE not in self.options:
            return 0.0
        before, self.beside_cpu_s = self.beside_cpu_s, shared_counters.read(self.options[BESIDE]) / self.workers
        return self.beside_cpu_s - before

    def settled(self) -> bool:
        """Return whether the profile has reached its last value."""
        return self._elapsed() >= self.profile.last_change

    def _elapsed(self) -> float:
        return self.now() - self.began if self._is_ready else 0.0

    def ready(self) -> None:
        """Report that the load is applied, and wait until all its workers have reported that.

        From then on its time passes, its CPU seconds count, and the kernel kills this process at its deadline.
        """
        self._cpu_s_before_ready = self._cpu_s()
        at, paused_s = time.monotonic(), self._paused_s
        self.report(ready=at, **({"piece": self.piece} if self.piece else {}))
        if self.workers > 1:
            at = self._wait_for_others()
        self.began = at - paused_s if paused_s == self._paused_s else self.now()
        if self._profile_from is not None:
            self.began = self._profile_from
        self._is_ready = True
        if self._duration is not None:
            _set_deadline(self._duration + GRACE_S)
        while (left_s := self.began - self.now()) > 0:  # a replay, whose workers are ready before its start
            time.sleep(min(left_s, LONGEST_SLEEP_S))

    def tick(self) -> None:
        """Report the figures, if the last report is older than `REPORT_EVERY_S`."""
        if self.now() - self._reported_at >= REPORT_EVERY_S:
            self.report()

    def report(self, **more: Any) -> None:
        """Report the figures so far, with the CPU seconds of this process and its children, and more with them."""
        self._reported_at = self.now()
        self.achieved["cpu_s"] = self._cpu_s() - self._cpu_s_before_ready
        self._send({"achieved": self.achieved, **more})

    def _cpu_s(self) -> float:
        return time.process_time() + self.children_cpu_s + self.beside_cpu_s

    def fault(self, reason: str) -> None:
        """Report why the load cannot be applied."""
        self._send({"fault": reason})

    def _send(self, message: dict[str, Any]) -> None:
        if self.pipe is not None:
            os.write(self.pipe, json.dumps(message).encode() + b"\n")


def _set_deadline(seconds: float) -> float:
    """Set the seconds until the kernel kills this process, 0 is never; return what was left of the last deadline."""
    if sys.platform == "win32":
        return 0.0
    return signal.setitimer(signal.ITIMER_REAL, seconds)[0]
