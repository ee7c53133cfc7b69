"""One kind of load that was asked for, and what is told of it."""

from __future__ import annotations

from os import getpid
from typing import TYPE_CHECKING, Any, Protocol

from pytest_twin._system.clock import monotonic
from pytest_twin._system.interruptible_event import InterruptSafeEvent
from pytest_twin.model import event
from pytest_twin.model.event import Event, detail

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_twin.loads.spec import LoadPart
    from pytest_twin.model.clock import Clock

ANSWER_WITHIN_S = 2.0
NOT_REACHED = "not reached before the end"


class Channel(Protocol):
    """The way to the supervisor, as a load needs it."""

    def send(self, message: dict[str, Any]) -> None:
        """Ask for something."""

    def wait(self, latch: InterruptSafeEvent) -> None:
        """Wait for something that the supervisor tells, or that is told for it once it is given up."""


class AppliedLoad:
    """One kind of load that was asked for: a handle to wait for it, to ask it, and to stop it.

    Attributes:
        id: Its name in annotations.csv.
        part: What was asked.
        test: The node id of the test it belongs to.
        note: Free text for its rows.
        ready_at: `time.monotonic` when it was really there, None before.
        ended_at: `time.monotonic` when it was gone, None before.
        failed: Why it could not be applied or died, empty if neither.
        said: What was really there, as annotations.csv says it once it has ended.
    """

    def __init__(self, channel: Channel, name: str, part: LoadPart, test: str, note: str) -> None:
        self.id, self.part, self.test, self.note = name, part, test, note
        self.ready_at: float | None = None
        self.ended_at: float | None = None
        self.failed = self.said = ""
        self._channel, self._process = channel, getpid()
        self._figures: dict[str, Any] = {}
        self._ready, self._ended, self._answered = InterruptSafeEvent(), InterruptSafeEvent(), InterruptSafeEvent()

    def wait_ready(self) -> bool:
        """Wait until the load is there; False if it never will be."""
        self._channel.wait(self._ready)
        return self.ready_at is not None

    @property
    def is_settled(self) -> bool:
        """Whether it is there, or is known never to be."""
        return self._ready.is_set()

    def stop(self) -> None:
        """Stop it, and come back when it is gone; a second time does nothing, nor does a fork that a test made."""
        self.ask_to_stop()
        self.wait_gone()

    def ask_to_stop(self) -> None:
        """Have it stopped, without waiting for that."""
        if self._is_ours:
            self._channel.send({"op": "stop", "id": self.id})

    def wait_gone(self) -> None:
        """Wait until it is gone."""
        if self._is_ours:
            self._channel.wait(self._ended)

    @property
    def trouble(self) -> str:
        """What was wrong with it, once it has ended; empty if nothing."""
        return str(self.failed or self.achieved.get("reduced") or "")

    @property
    def achieved(self) -> dict[str, Any]:
        """Figures so far, final ones once it is stopped: ``cpu_s``, ``resident_bytes``, ``written_bytes`` and more."""
        if self._is_ours:
            self._answered.clear()
            self._channel.send({"op": "achieved", "id": self.id})
            self._answered.wait(ANSWER_WITHIN_S)
        return dict(self._figures)

    @property
    def _is_ours(self) -> bool:
        """Whether it goes on, and this process, and not one that it is a fork of, has asked for it and hears of it."""
        return not self._ended.is_set() and self._process == getpid()

    def told(self, reply: dict[str, Any]) -> None:
        """Take in what the supervisor says of it."""
        if reply["event"] == "ready":
            self.ready_at = reply["at"]
            self._ready.set()
            return
        self._figures = reply["achieved"]
        if reply["event"] != "achieved":
            self.ended_at = reply["at"]
            self.failed = reply["reason"] if reply["event"] == "abort" else ""
            self._ready.set()
            self._ended.set()
        self._answered.set()

    def gone(self, reason: str) -> dict[str, Any]:
        """What the supervisor would tell of it, where it went with its supervisor, or never had one."""
        times = {"at": monotonic(), "since": self.ready_at, "began": self.ready_at, "paused": 0.0}
        return {"event": "abort", **times, "reason": reason, "achieved": {}}

    def events(self, reply: Mapping[str, Any], clock: Clock, usable: Mapping[str, float]) -> Iterator[Event]:
        """What the supervisor tells of it, as events at the time at which they happened.

        Args:
            reply: That it is there, or how it ended; `said` is known from then on.
            clock: The run's.
            usable: For each measure, what a share is a share of: CPUs, bytes of memory.
        """
        note = {"note": self.note} if self.note else {}
        began = Event(0.0, event.START, self.id, self.part.kind.type, self.test, target=self.part.text)
        at = clock.elapsed(reply["at"])
        if reply["event"] == "ready":
            yield began._replace(elapsed_s=at, detail=detail("", {**note, "processes": len(reply["pids"])}))
            return
        since = reply["since"] or reply["began"]
        if since is not None and reply["since"] is None:  # it never was really there, but what there was did begin
            yield began._replace(elapsed_s=clock.elapsed(since), detail=detail("", note))
        how = event.ABORT if reply["event"] == "abort" else event.SKIP if since is None else event.END
        reason = NOT_REACHED if how == event.SKIP else reply["reason"]
        achieved = {"held_s": _spent(reply, since), **reply["achieved"]}
        figures = {name: round(value, 4) if isinstance(value, float) else value for name, value in achieved.items()}
        text = detail("", {**note, "reason": reason, **figures})
        self.said = self.part.said_achieved(achieved, achieved["held_s"], usable)
        yield began._replace(elapsed_s=max(at, 0.0), event=how, achieved=self.said, detail=text)


def stop_all(loads: Sequence[AppliedLoad]) -> None:
    """Stop these, and come back when they are gone.

    All are asked before one is waited for: then none goes on that was to end, where the waiting is interrupted by
    Ctrl-C or by a time limit.
    """
    for each in loads:
        each.ask_to_stop()
    for each in loads:
        each.wait_gone()


def _spent(reply: Mapping[str, Any], since: float | None) -> float:
    """Seconds from then to its end, those not counted in which it was paused."""
    return 0.0 if since is None else reply["at"] - since - reply["paused"]
