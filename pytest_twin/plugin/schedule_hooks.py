"""Play the schedule of a pytest session, from its first test on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_twin.loads.player import SchedulePlayer
from pytest_twin.plugin.load_context import strict_shortfalls

if TYPE_CHECKING:
    from pytest_twin.loads.schedule.schedule import Schedule
    from pytest_twin.recording.recording import Recording


class SessionScheduleHooks:
    """Hooks of a session that has a schedule.

    Attributes:
        strict_error: A line for each strict load that achieved less than requested; set when the session ends.
    """

    def __init__(self, schedule: Schedule, recording: Recording) -> None:
        """Prepare the player.

        Args:
            schedule: The schedule to play.
            recording: The recording that applies its loads.
        """
        prefix = recording.worker and f"{recording.worker}-"  # several hosts play the same schedule
        self._recording, self._player = recording, SchedulePlayer(schedule, recording, prefix=prefix)
        self.strict_error = ""

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Start the schedule with the first test, and the loads for this test."""
        with self._recording.guard:
            if not self._player.started:
                self._recording.start_supervisor()
                self._player.start(self._recording.load_time())
                self._player.wait_for_first()
            self._player.start_test(nodeid, self._recording.load_time())

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Stop the loads that were applied for this test only."""
        with self._recording.guard:
            self._player.end_test(nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Stop all loads before other plugins clean up."""
        self._player.stop()
        self.strict_error = "\n".join(strict_shortfalls(self._player.applied))
        if self._recording.host:
            session.config.workeroutput["twin_strict"] = self.strict_error  # type: ignore[attr-defined]
