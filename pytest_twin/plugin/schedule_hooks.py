"""Play the schedule of a pytest session, from its first test on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_twin._system.clock import monotonic
from pytest_twin.loads.player import SchedulePlayer
from pytest_twin.plugin.hook_object import HookObject
from pytest_twin.plugin.load_context import strict_shortfalls

if TYPE_CHECKING:
    from pytest_twin.loads.schedule.schedule import Schedule
    from pytest_twin.recording.recording import Recording


class SessionScheduleHooks(HookObject):
    """Hooks of a session that has a schedule.

    Attributes:
        strict_error: A line for each strict load that achieved less than requested; set when the session ends.
        played_s: How much of the schedule was played; set when the session ends.
    """

    def __init__(self, schedule: Schedule, recording: Recording) -> None:
        """Prepare the player.

        Args:
            schedule: The schedule to play.
            recording: The recording that applies its loads.
        """
        # several hosts play the same schedule, and each worker its constraints
        self._prefix = recording.worker and f"{recording.worker}-"
        self._recording, self._schedule = recording, schedule
        self._player = SchedulePlayer(schedule, recording, prefix=self._prefix)
        self.strict_error = ""
        self.played_s = 0.0
        self._began_s: float | None = None

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Start the schedule with the first test, and the loads for this test."""
        with self._recording.guard:
            if not self._player.started:
                self._recording.start_supervisor()
                self._start()
            self._player.start_test(nodeid, self._recording.load_time())

    def _start(self) -> None:
        """Start the player: in a worker with constraints at the time at which the first worker of this host did so."""
        late_s = 0.0
        if self._recording.worker and self._schedule.has_constraints:
            late_s = monotonic() - self._recording.constraints.share_start()
        if late_s > 0:  # a worker that replaces another one, for example
            left = tuple(event for event in self._schedule.events if event.end_s > late_s)
            self._player = SchedulePlayer(replace(self._schedule, events=left), self._recording, prefix=self._prefix)
        self._began_s = self._recording.load_time() - late_s
        self._player.start(self._began_s)
        self._player.wait_for_first()

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Stop the loads that were applied for this test only."""
        with self._recording.guard:
            self._player.end_test(nodeid)

    @property
    def cut(self) -> str:
        """How much of the schedule was played, if the tests were over before it; empty otherwise."""
        whole_s = self._schedule.duration_s
        if self.played_s >= whole_s:
            return ""
        return f"the tests ended before the schedule: {self.played_s:.1f} s of {whole_s:.1f} s were played"

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Stop all loads before other plugins clean up."""
        if self._began_s is not None:
            self.played_s = min(self._schedule.duration_s, self._recording.load_time() - self._began_s)
        self._player.stop()
        self.strict_error = "\n".join(strict_shortfalls(self._player.applied))
