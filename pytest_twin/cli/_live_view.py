"""The live view around what a subcommand waits for."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_twin.report.live.follower import RunFollower
from pytest_twin.report.live.output import output
from pytest_twin.report.live.view import ViewState
from pytest_twin.report.wording import relative

if TYPE_CHECKING:
    from pytest_twin._system.interruptible_event import InterruptSafeEvent
    from pytest_twin.recording.recording import Recording

REFRESH_S = 1 / 3


class LiveView:
    """Shows a run while it is waited for; what stands there last stays.

    Attributes:
        is_seen: Whether there still is somewhere to show it.
    """

    def __init__(self, following: RunFollower, now: Callable[[], float]) -> None:
        """Prepare it.

        Args:
            following: The run.
            now: Seconds since the run began.
        """
        self._following, self._now = following, now
        self._output = output()
        self.is_seen = True
        self._where = relative(following.folder.path, Path.cwd())

    def wait(
        self,
        stop: InterruptSafeEvent,
        seconds: float | None = None,
        *,
        over: Callable[[], bool] = lambda: False,
        facts: Callable[[], dict[str, Any]] = dict,
    ) -> None:
        """Wait until it is over or stopped.

        Args:
            stop: Ends the waiting.
            seconds: How long; None is until it is over.
            over: Whether there is nothing more to wait for.
            facts: What else to show, by the names that `ViewState` has.
        """
        began = 0.0 if seconds is None else self._now()
        while True:
            at = self._now()
            is_over = stop.is_set() or over() or (seconds is not None and at - began >= seconds)
            self._show(at, at - began, seconds, facts())
            if is_over:
                return
            left = REFRESH_S if seconds is None else seconds - (self._now() - began)
            stop.wait(max(0.0, min(REFRESH_S, left)))

    def _show(self, at: float, elapsed: float, total: float | None, facts: dict[str, Any]) -> None:
        if not self.is_seen:
            return
        following = self._following
        try:
            following.read()
        except (OSError, ValueError) as error:  # what cannot be shown is recorded all the same
            facts["said"] = f"cannot be read: {error}"
        state = ViewState(self._where, following.minute, following.running, following.ended, at, elapsed, total)
        try:
            self._output.show(replace(state, **facts))
        except OSError:  # the terminal was closed, or nobody reads the log any more; a recording goes on
            self.is_seen = False
            _drop_stderr()


def _drop_stderr() -> None:
    """Have standard error end nowhere: what it could not write it would try again at the exit, and fail the program."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stderr.fileno())
    os.close(nowhere)


@contextmanager
def view_of(recording: Recording, interval: float) -> Iterator[LiveView]:
    """The view of a recording of this process."""
    following = RunFollower(recording.folder, interval, recording.clock.epoch, since_s=recording.began_s)
    with closing(following):
        yield LiveView(following, recording.elapsed)
