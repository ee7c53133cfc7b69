"""Handle of one applied load: wait for it, read what it achieved, stop it."""

from __future__ import annotations

from os import getpid
from typing import TYPE_CHECKING, Any

from pytest_twin._system.clock import monotonic
from pytest_twin._system.interruptible_event import InterruptSafeEvent
from pytest_twin.stressors.spec.request import TIMED

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol

    from pytest_twin.loads.spec import LoadPart

    class SupervisorChannel(Protocol):
        """The connection to the supervisor, as `SupervisorClient` has it."""

        def send(self, message: dict[str, Any]) -> None:
            """Send a request."""

        def wait(self, reply: InterruptSafeEvent) -> None:
            """Wait for an event that a reply sets; it is also set when the supervisor is given up."""


ANSWER_WITHIN_S = 2.0
NOT_REACHED = "not reached before the end"


class AppliedLoad:
    """Handle of one kind of load that the supervisor was asked to apply.

    Attributes:
        id: Its id in annotations.csv.
        part: The load that was requested.
        test: The node id of the test it belongs to.
        note: Free text for its rows.
        ready_at: `time.monotonic` when all of it was applied; None before.
        ended_at: `time.monotonic` when it ended; None before.
        failure: Why it could not be applied, or was aborted; empty if neither.
        achieved_text: The achieved amount as in annotations.csv; empty before its end.
    """

    def __init__(self, channel: SupervisorChannel, name: str, part: LoadPart, test: str, note: str) -> None:
        self.id, self.part, self.test, self.note = name, part, test, note
        self.ready_at: float | None = None
        self.ended_at: float | None = None
        self.failure = self.achieved_text = ""
        self._channel, self._process = channel, getpid()
        self._figures: dict[str, Any] = {}
        self._ready, self._ended, self._answered = InterruptSafeEvent(), InterruptSafeEvent(), InterruptSafeEvent()

    def wait_ready(self) -> bool:
        """Wait until all of the load is applied; return False if it failed before."""
        self._channel.wait(self._ready)
        return self.ready_at is not None

    @property
    def is_settled(self) -> bool:
        """Whether it is ready, or has failed before."""
        return self._ready.is_set()

    def stop(self) -> None:
        """Stop it and wait for its end; does nothing for a load that has ended, or in a forked process."""
        self.ask_to_stop()
        self.wait_gone()

    def ask_to_stop(self, *, is_timed: bool = False) -> None:
        """Request its end without waiting for it.

        Args:
            is_timed: Whether its duration is over, in which it should have moved all of an amount.
        """
        if self._is_active:
            why = {"reason": TIMED} if is_timed else {}
            self._channel.send({"op": "stop", "id": self.id, **why})

    def wait_gone(self) -> None:
        """Wait until it has ended."""
        if self._is_active:
            self._channel.wait(self._ended)

    @property
    def problem(self) -> str:
        """Why it failed or was reduced, known at its end; empty if neither."""
        return str(self.failure or self.achieved.get("reduced") or "")

    @property
    def achieved(self) -> dict[str, Any]:
        """Figures so far, final ones at its end: ``cpu_s``, ``resident_bytes``, ``written_bytes`` and more."""
        if self._is_active:
            self._answered.clear()
            self._channel.send({"op": "achieved", "id": self.id})
            self._answered.wait(ANSWER_WITHIN_S)
        return dict(self._figures)

    @property
    def _is_active(self) -> bool:
        """Whether it has not ended, and was requested by this process and not by one that this is a fork of."""
        return not self._ended.is_set() and self._process == getpid()

    def handle_reply(self, reply: dict[str, Any]) -> None:
        """Take over a reply of the supervisor, and wake up whoever waits for it."""
        if reply["event"] == "ready":
            self.ready_at, self._figures = reply["at"], reply.get("achieved", {})
            self._ready.set()
            return
        self._figures = reply["achieved"]
        if reply["event"] != "achieved":
            self.ended_at = reply["at"]
            self.failure = reply["reason"] if reply["event"] == "abort" else ""
            self._ready.set()
            self._ended.set()
        self._answered.set()

    def abort_reply(self, reason: str) -> dict[str, Any]:
        """Return the reply on its abort that a supervisor which died, or never started, cannot send."""
        times = {"at": monotonic(), "since": self.ready_at, "began": self.ready_at, "paused": 0.0}
        return {"event": "abort", **times, "reason": reason, "achieved": {}}


def stop_all(loads: Sequence[AppliedLoad], *, is_timed: bool = False) -> None:
    """Stop these loads and wait for their end; the argument is that of `AppliedLoad.ask_to_stop`.

    All are requested to stop before the first is waited for, so that none continues if the waiting is interrupted by
    Ctrl-C or by a time limit.
    """
    for each in loads:
        each.ask_to_stop(is_timed=is_timed)
    for each in loads:
        each.wait_gone()
