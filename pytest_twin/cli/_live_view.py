"""Show the live view while a subcommand waits."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_twin.report.live.follower import RunFollower
from pytest_twin.report.live.output import output_for_stderr
from pytest_twin.report.live.view import ViewState
from pytest_twin.report.wording import relative_path

if TYPE_CHECKING:
    from pytest_twin._system.interruptible_event import InterruptSafeEvent
    from pytest_twin.recording.recording import Recording

REFRESH_S = 1 / 3


class LiveView:
    """Show a run while waiting; the last state stays on the terminal.

    Attributes:
        is_seen: Whether the output still accepts text.
    """

    def __init__(self, follower: RunFollower, now: Callable[[], float]) -> None:
        """Prepare the output.

        Args:
            follower: Reads the files of the run.
            now: Seconds since the run began.
        """
        self._follower, self._now = follower, now
        self._output = output_for_stderr()
        self.is_seen = True
        self._where = relative_path(follower.folder.path, Path.cwd())

    def wait(
        self,
        stop: InterruptSafeEvent,
        seconds: float | None = None,
        *,
        over: Callable[[], bool] = lambda: False,
        facts: Callable[[], dict[str, Any]] = dict,
    ) -> None:
        """Show the run until one of the conditions holds.

        Args:
            stop: Ends the wait when it is set.
            seconds: Ends the wait after this time; None is no limit.
            over: Ends the wait when it returns True.
            facts: Returns values for further fields of `ViewState`.
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
        follower = self._follower
        try:
            follower.read()
        except (OSError, ValueError) as error:  # the recording does not depend on the view
            facts["message"] = f"cannot be read: {error}"
        state = ViewState(self._where, follower.minute, follower.running, follower.ended, at, elapsed, total)
        try:
            self._output.show(replace(state, **facts))
        except OSError:  # the terminal or the reader of the log has gone; the recording goes on
            self.is_seen = False
            _drop_stderr()


def _drop_stderr() -> None:
    """Redirect standard error to the null device; otherwise a failed flush at exit would fail the program."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stderr.fileno())
    os.close(null)


@contextmanager
def view_of(recording: Recording, interval: float) -> Iterator[LiveView]:
    """Yield the view of a recording of this process."""
    follower = RunFollower(recording.folder, interval, recording.clock.epoch, since_s=recording.began_s)
    with closing(follower):
        yield LiveView(follower, recording.elapsed)
