"""What one worker process has to do, and what it tells of it."""

from __future__ import annotations

import json
import os
import signal
import sys
import time

from pytest_twin.stressors.profile import Profile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from pytest_twin.stressors.profile import Points

REPORT_EVERY_S = 0.2
GRACE_S = 10.0


class Job:
    """One load as its worker processes see it.

    Attributes:
        unit: The unit of the profile's values, one of `pytest_twin.stressors.kind`.
        profile: The load over time.
        options: The modifiers it was asked with (``block``, ``pause``, ``loop``, ``directory``).
        seed: Makes whatever a stressor draws at random repeatable.
        strict: Whether less than was asked is a failure.
        workers: How many processes share this load.
        index: Which of them this one is, from 0.
        achieved: Figures so far; a stressor adds to them, `tick` and `ready` send them. A figure ``asked_X`` says what
            X would be had all that was asked been possible.
        children_cpu_s: CPU seconds of processes that this one started.
        began: `now` when the load began.
    """

    def __init__(self, request: Mapping[str, Any]) -> None:
        self.unit: str = request["unit"]
        points: Points = [(float(at), float(value)) for at, value in request["profile"]]
        self.profile = Profile(points)
        self.options: dict[str, Any] = dict(request.get("options") or {})
        self.seed: int = request.get("seed") or 0
        self.strict: bool = bool(self.options.get("strict"))
        self.workers = 1
        self.index: int = request.get("index") or 0
        self._duration: float | None = request.get("duration")
        self.achieved: dict[str, float | str] = {}
        self.children_cpu_s = 0.0
        self._paused_s = 0.0
        self.began = self.now()
        self._pipe: int | None = None
        self._told = self.began
        self._prepared_s = 0.0  # CPU seconds that were used before the load was there

    def attach(self, pipe: int) -> None:
        """Start the job in this process; it reports through this descriptor."""
        self._pipe = pipe
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
        """The value that the profile asks for now."""
        return self.profile.at(self.now() - self.began)

    def settled(self) -> bool:
        """Whether the profile has reached its last value."""
        return self.now() - self.began >= self.profile.last_change

    def ready(self) -> None:
        """Say that the load is really applied; from now on its CPU seconds count, and the kernel has a deadline."""
        at = time.monotonic()
        self._prepared_s = self._cpu_s()
        if self._duration is not None:
            _set_deadline(self._duration + GRACE_S)
        self.report()
        self._send({"ready": at})

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
