"""Write gaps as events: times without samples, and times for which all loads were paused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_twin._system.stdlib import threading
from pytest_twin.model import event
from pytest_twin.model.event import Event

SAME_GAP_S = 0.1  # two gaps that overlap by more are one

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from pytest_twin.model.clock import Clock
    from pytest_twin.telemetry.sampler import SamplingGap


class GapEvents:
    """Writes each gap as an event with a start and, where it is known, an end."""

    def __init__(self, clock: Clock, new_id: Callable[[str], str], emit: Callable[[Event], None]) -> None:
        """Prepare it.

        Args:
            clock: The clock of the run.
            new_id: Returns an id that no other event has, with the given letter in it.
            emit: Writes an event.
        """
        self._clock, self._new_id, self._emit = clock, new_id, emit
        self._pause: Event | None = None
        self._lock = threading.Lock()  # the replies of sampler and supervisor are read by a thread each
        self._last_end = float("-inf")  # of the gaps that are written

    def on_pause_reply(self, reply: Mapping[str, Any]) -> None:
        """Write that all loads are paused or go on, by a reply of their supervisor."""
        at = self._clock.elapsed(reply["at"])
        if reply["event"] == "paused":
            if "until" in reply and self._is_written(at, self._clock.elapsed(reply["until"])):
                return
            self._pause = self._start(at, f"loads paused: {reply['reason']}")
        elif self._pause is not None:
            self._emit(self._pause._replace(elapsed_s=at, event=event.END))
            self._pause = None

    def on_sampling_gap(self, gap: SamplingGap) -> None:
        """Write a time without samples that the sampler reports."""
        if gap.ended is not None and self._is_written(*map(self._clock.elapsed, (gap.began, gap.ended))):
            return
        start = self._start(self._clock.elapsed(gap.began), f"{gap.what}: {gap.reason}")
        if gap.ended is not None:
            self._emit(start._replace(elapsed_s=self._clock.elapsed(gap.ended), event=event.END))

    def _is_written(self, began: float, ended: float) -> bool:
        """Return whether the other process has reported this time already; from now on it counts as reported."""
        with self._lock:
            is_written = began < self._last_end - SAME_GAP_S
            self._last_end = max(self._last_end, ended)
            return is_written

    def _start(self, at: float, detail: str) -> Event:
        start = Event(at, event.START, self._new_id("g"), event.GAP, detail=detail)
        self._emit(start)
        return start
