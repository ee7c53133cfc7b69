"""Gaps: times without samples, and times for which what was planned stood still."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_twin._system.stdlib import threading
from pytest_twin.model import event
from pytest_twin.model.event import Event

SAME_S = 0.1

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from pytest_twin.model.clock import Clock
    from pytest_twin.telemetry.sampler import SamplingGap


class GapEvents:
    """Writes them as events, each with its beginning and its end."""

    def __init__(self, clock: Clock, new_id: Callable[[str], str], emit: Callable[[Event], None]) -> None:
        """Prepare it.

        Args:
            clock: The run's.
            new_id: Gives a name that no other event has, with this letter in front.
            emit: Writes an event.
        """
        self._clock, self._new_id, self._emit = clock, new_id, emit
        self._pause: Event | None = None
        self._lock = threading.Lock()  # the sampler and the supervisor are heard by a thread each
        self._over = float("-inf")  # when the last time that is written was over

    def paused(self, reply: Mapping[str, Any]) -> None:
        """All loads are paused, or go on, as their supervisor tells."""
        at = self._clock.elapsed(reply["at"])
        if reply["event"] == "paused":
            if "until" in reply and self._is_written(at, self._clock.elapsed(reply["until"])):
                return
            self._pause = self._begun(at, f"loads paused: {reply['reason']}")
        elif self._pause is not None:
            self._emit(self._pause._replace(elapsed_s=at, event=event.END))
            self._pause = None

    def unsampled(self, gap: SamplingGap) -> None:
        """The sampler tells of a time without samples; an end is not always known."""
        if gap.ended is not None and self._is_written(*map(self._clock.elapsed, (gap.began, gap.ended))):
            return
        begun = self._begun(self._clock.elapsed(gap.began), f"{gap.what}: {gap.reason}")
        if gap.ended is not None:
            self._emit(begun._replace(elapsed_s=self._clock.elapsed(gap.ended), event=event.END))

    def _is_written(self, began: float, ended: float) -> bool:
        """Whether the other one has told of this time; it counts as told from now on."""
        with self._lock:
            is_written = began < self._over - SAME_S
            self._over = max(self._over, ended)
            return is_written

    def _begun(self, at: float, detail: str) -> Event:
        begun = Event(at, event.START, self._new_id("g"), event.GAP, detail=detail)
        self._emit(begun)
        return begun
