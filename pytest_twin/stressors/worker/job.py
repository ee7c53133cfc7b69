"""What one worker process has to do, and what it tells of it."""

from __future__ import annotations

import json
import os
import signal
import sys
import time

from pytest_twin.stressors.spec.profile import Profile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pytest_twin.stressors.spec.request import LoadRequest

REPORT_EVERY_S = 0.2
GRACE_S = 10.0


class Job:
    """One load as its worker processes see it.

    Attributes:
        unit: The unit of the profile's values, one of `pytest_twin.stressors.spec.kind`.
        profile: The load over time.
        options: The modifiers it was asked with (``block``, ``pause``, ``loop``, ``directory``).
        seed: Makes whatever a stressor draws at random repeatable.
        strict: Whether less than was asked is a failure.
        workers: How many processes share this load.
        index: Which of them this one is, from 0.
        achieved: Figures so far, counted from when the load is ready; a stressor adds to them, `tick` and `ready` send
            them. A figure ``asked_X`` says what X would be had all that was asked been possible; of those that the
            `Kind` of the stressor names, the supervisor tells it.
        piece: How much of its figure a worker adds at once, so that it may be short of so much for a moment.
        children_cpu_s: CPU seconds of processes that this one started.
        began: `now` when the load was ready: the beginning of its profile.
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
        self.children_cpu_s = 0.0
        self._paused_s = 0.0
        self.began = self.now()
        self._pipe: int | None = None
        self._told = self.began
        self._prepared_s = 0.0  # CPU seconds that were used before the load was there
        self._is_ready = False
        self._others_ready: Callable[[], float] = time.monotonic

    def attach(self, pipe: int, others_ready: Callable[[], float]) -> None:
        """Start the job in this process.

        Args:
            pipe: The descriptor that it reports through.
            others_ready: Waits until all workers are ready, and comes back with the `time.monotonic` of that moment.
        """
        self._pipe, self._others_ready = pipe, others_ready
        self.began = self._told = self.now()

    def now(self) -> float:
        """`time.monotonic`, less the time that the load was paused: what a load is paced by."""
        return time.monotonic() - self._paused_s

    def pause(self, until: Callable[[], object]) -> None:
        """Let no time of the load pass until that call comes back; the deadline waits too."""
        began = time.monotonic()
        left = _set_deadline(0.0)
        until()
        self._paused_s += time.monotonic() - began
        _set_deadline(left)

    def target(self) -> float:
        """The value that the profile asks for now; before the load is ready, the first one."""
        return self.profile.at(self._elapsed())

    def settled(self) -> bool:
        """Whether the profile has reached its last value."""
        return self._elapsed() >= self.profile.last_change

    def _elapsed(self) -> float:
        return self.now() - self.began if self._is_ready else 0.0

    def ready(self) -> None:
        """Say that the load is really applied, and wait until the other workers have said so too.

        From then on its time passes and its CPU seconds count, and the kernel has a deadline.
        """
        self._prepared_s = self._cpu_s()
        self.report()
        at, paused_s = time.monotonic(), self._paused_s
        self._send({"ready": at, "piece": self.piece} if self.piece else {"ready": at})
        if self.workers > 1:
            at = self._others_ready()
        self.began = at - paused_s if paused_s == self._paused_s else self.now()
        self._is_ready = True
        if self._duration is not None:
            _set_deadline(self._duration + GRACE_S)

    def tick(self) -> None:
        """Report the figures, if that was not done just now."""
        if self.now() - self._told >= REPORT_EVERY_S:
            self.report()

    def report(self) -> None:
        """Report the figures so far, the CPU seconds of this process and its children among them."""
        self._told = self.now()
        self.achieved["cpu_s"] = self._cpu_s() - self._prepared_s
        self._send({"achieved": self.achieved})

    def _cpu_s(self) -> float:
        return time.process_time() + self.children_cpu_s

    def fault(self, reason: str) -> None:
        """Say why the load cannot be applied."""
        self._send({"fault": reason})

    def _send(self, message: dict[str, Any]) -> None:
        if self._pipe is not None:
            os.write(self._pipe, json.dumps(message).encode() + b"\n")


def _set_deadline(seconds: float) -> float:
    """Have the kernel end this process after so many seconds, 0 is never; comes back with what was left before."""
    if sys.platform == "win32":
        return 0.0
    return signal.setitimer(signal.ITIMER_REAL, seconds)[0]
