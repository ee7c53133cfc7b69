"""Gaps: times without samples, and times for which what was planned stood still."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_twin.model import event
from pytest_twin.model.event import Event

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from pytest_twin.model.clock import Clock
    from pytest_twin.sampler import Gap


class Gaps:
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

    def paused(self, reply: Mapping[str, Any]) -> None:
        """All loads are paused, or go on, as their supervisor tells."""
        at = self._clock.elapsed(reply["at"])
        if reply["event"] == "paused":
            self._pause = self._begun(at, f"loads paused: {reply['reason']}")
        elif self._pause is not None:
            self._emit(self._pause._replace(elapsed_s=at, event=event.END))
            self._pause = None

    def unsampled(self, gap: Gap) -> None:
        """The sampler tells of a time without samples; an end is not always known."""
        begun = self._begun(self._clock.elapsed(gap.began), f"{gap.what}: {gap.reason}")
        if gap.ended is not None:
            self._emit(begun._replace(elapsed_s=self._clock.elapsed(gap.ended), event=event.END))

    def _begun(self, at: float, detail: str) -> Event:
        begun = Event(at, event.START, self._new_id("g"), event.GAP, detail=detail)
        self._emit(begun)
        return begun
