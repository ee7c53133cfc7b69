"""The schedule that a pytest session plays, from its first test on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_twin.loads.player import SchedulePlayer
from pytest_twin.plugin.load_context import strict_troubles

if TYPE_CHECKING:
    from pytest_twin.loads.schedule.schedule import Schedule
    from pytest_twin.recording.recording import Recording


class SessionScheduleHooks:
    """Hooks of a session that has a schedule.

    Attributes:
        strict_error: What the schedule asked for strictly, and was not had; known at the end.
    """

    def __init__(self, schedule: Schedule, recording: Recording) -> None:
        """Prepare it.

        Args:
            schedule: What to play.
            recording: What applies the loads.
        """
        prefix = recording.worker and f"{recording.worker}-"  # several hosts play the same schedule
        self._recording, self._player = recording, SchedulePlayer(schedule, recording, prefix=prefix)
        self.strict_error = ""

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Play from the first test on."""
        with self._recording.guard:
            if not self._player.started:
                self._recording.start_supervisor()
                self._player.start(self._recording.load_time())
                self._player.wait_for_first()
            self._player.test_began(nodeid, self._recording.load_time())

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """End what was applied for this test only."""
        with self._recording.guard:
            self._player.test_ended(nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Stop the loads before others clean up."""
        self._player.stop()
        self.strict_error = "\n".join(strict_troubles(self._player.applied))
        if self._recording.host:
            session.config.workeroutput["twin_strict"] = self.strict_error  # type: ignore[attr-defined]
