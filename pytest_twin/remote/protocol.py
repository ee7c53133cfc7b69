"""What a pytest-xdist worker on another host and its controller say to each other, over a channel of execnet.

Both sides say something twice a second, so that each notices in time that the other one cannot be reached any more.
What is said, all in tuples that begin with a word:

worker: ``ping``; ``hello`` (who its host is); ``clock`` (how its clock goes); ``asks`` (to be recorded); ``rows`` (a
table and a piece of its file); ``fingerprint``; ``beat``; ``bye`` (its tests are over); ``wanted`` (a question).
controller: ``pong`` (its monotonic time); ``welcome`` (what the worker should do); ``beat`` and ``wanted`` (whether it
wants rows yet); ``end`` (nobody needs the worker's samples any more).
"""

from __future__ import annotations

import queue
from typing import TYPE_CHECKING, Any

from pytest_twin._system.clock import monotonic
from pytest_twin._system.interruptible_event import InterruptSafeEvent
from pytest_twin._system.stdlib import threading
from pytest_twin.remote.clock_offset import Offset, estimated

if TYPE_CHECKING:
    from collections.abc import Callable

BEAT_S = 0.5
LOST = None  # what is heard when the connection has ended


class RemoteError(RuntimeError):
    """The controller cannot be reached; the message is for the user."""


class ControllerChannel:
    """The worker's side.

    Attributes:
        is_wanted: Whether the controller wants rows yet, as far as it has said.
    """

    def __init__(self, channel: Any, timeout_s: float, lost: Callable[[], None]) -> None:
        """Begin to listen.

        Args:
            channel: To the controller, by execnet.
            timeout_s: How long an answer may take.
            lost: Called, from the thread that listens to the gateway, when the connection has ended.
        """
        _write_whole(channel)
        self._channel, self._timeout_s, self._lost = channel, timeout_s, lost
        self._answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._heard = InterruptSafeEvent()
        self.is_wanted = False
        channel.setcallback(self._hear, endmarker=LOST)

    def say(self, *words: Any) -> None:
        """Say something.

        Raises:
            HandoverError: The connection has ended.
        """
        try:
            self._channel.send(words)
        except OSError as error:
            raise RemoteError(f"the controller cannot be reached: {error}") from None

    def answer(self, word: str, *, for_ever: bool = False) -> Any:
        """Wait for an answer, and give what came with the word; others that come before it are of no more use.

        Raises:
            HandoverError: It did not come in time, or the connection has ended.
        """
        while True:
            try:
                said = self._answers.get(timeout=None if for_ever else self._timeout_s)
            except queue.Empty:
                raise RemoteError(f"the controller did not answer within {self._timeout_s:g} s") from None
            if said is LOST:
                self._answers.put(LOST)  # for whoever asks next
                raise RemoteError("the connection to the controller has ended")
            if said[0] == word:
                return said[1:]

    def ask_if_wanted(self) -> None:
        """Know at once whether the controller wants rows.

        Raises:
            HandoverError: It does not answer.
        """
        self.say("wanted")
        self.is_wanted = self.answer("wanted")[0]

    def offset(self) -> Offset:
        """How far its clock is ahead of ours.

        Raises:
            HandoverError: It does not answer.
        """
        return estimated(self._ask_time, monotonic)

    def is_heard(self) -> bool:
        """Whether it says anything in the time that an answer may take, or has since the last call."""
        if not self._heard.wait(self._timeout_s):
            return False
        self._heard.clear()
        return True

    def give_up(self) -> None:
        """Let nobody wait for an answer any more."""
        self._answers.put(LOST)

    def close(self) -> None:
        """Nothing more is said."""
        try:
            self._channel.close()
        except OSError:
            pass

    def _ask_time(self) -> float:
        self.say("ping")
        return float(self.answer("pong")[0])

    def _hear(self, said: Any) -> None:
        if said is LOST:
            self.give_up()
            self._lost()
            return
        self._heard.set()
        if said[0] == "beat":
            self.is_wanted = said[1]
        else:
            self._answers.put(said)


def _write_whole(channel: Any) -> None:
    """Let no two threads mix their messages, which a socket of execnet's would do that is full (pipes do not)."""
    io = channel.gateway._io  # noqa: SLF001 - there is no other way to it
    if hasattr(io, "sock") and not hasattr(io, "twin_lock"):
        write, io.twin_lock = io.write, threading.Lock()

        def write_whole(data: bytes) -> None:
            with io.twin_lock:
                write(data)

        io.write = write_whole
