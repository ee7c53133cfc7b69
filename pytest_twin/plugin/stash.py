"""The keys under which the plugin keeps values in pytest's configuration and in each test."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pytest_twin.analysis.budgets.budget import Budget, LimitVerdict
    from pytest_twin.analysis.budgets.rules import Rule
    from pytest_twin.loads.schedule.schedule import Schedule
    from pytest_twin.loads.spec import Load
    from pytest_twin.plugin.exporters import SessionExporter
    from pytest_twin.plugin.otlp import OtlpSession
    from pytest_twin.recording.attempt import RecordedAttempt
    from pytest_twin.run_folder.recorded_twin import RecordedTwin
    from pytest_twin.settings.options import Settings


class ItemRequest:
    """What the markers of a test ask for, parsed when the test is collected, and not again while it runs.

    Attributes:
        marks: The markers of pytest-twin that the test has, the closest first.
        load: The load to apply around its body.
        schedule: The schedule to play around its body; None if it has none of its own.
        budget: The limits of what it may use; None without any.
        every_mark: All markers that the test had when these were parsed.
    """

    __slots__ = ("budget", "every_mark", "load", "marks", "schedule")

    def __init__(
        self,
        marks: Sequence[pytest.Mark] = (),
        load: Load | None = None,
        schedule: Schedule | None = None,
        budget: Budget | None = None,
        every_mark: Sequence[pytest.Mark] = (),
    ) -> None:
        self.marks, self.load, self.schedule = marks, load, schedule
        self.budget, self.every_mark = budget, every_mark


REPEAT_PLUGIN = "twin-repeat"  # of the plugin that runs each test several times

# in pytest's configuration
SETTINGS: pytest.StashKey[Settings] = pytest.StashKey()
RECORDED_SESSION: pytest.StashKey[Any] = pytest.StashKey()  # a `RecordedSession`, once something is to be recorded
SESSION_SCHEDULE: pytest.StashKey[Schedule | None] = pytest.StashKey()
SESSION_STRESS: pytest.StashKey[Load | None] = pytest.StashKey()  # the load around every test
SESSION_CONSTRAINT: pytest.StashKey[Load | None] = pytest.StashKey()  # of each process that runs tests
TWIN: pytest.StashKey[RecordedTwin] = pytest.StashKey()  # the recording that the session reproduces
SCHEDULE_TEXTS: pytest.StashKey[dict[str, str]] = pytest.StashKey()  # the files that the schedule reads, by name
EXPORTER: pytest.StashKey[SessionExporter] = pytest.StashKey()  # exports the run while it is recorded
OTLP: pytest.StashKey[OtlpSession] = pytest.StashKey()  # exports the run when it is over
BUDGET_RULES: pytest.StashKey[Sequence[Rule]] = pytest.StashKey()
CONFIGURED_BUDGETS: pytest.StashKey[dict[tuple[int, ...], Budget]] = pytest.StashKey()  # by the rules that they follow

# in a test
REQUEST: pytest.StashKey[ItemRequest] = pytest.StashKey()
ATTEMPT_COUNT: pytest.StashKey[int] = pytest.StashKey()  # the attempts that have begun
TIMEOUT_SETTINGS: pytest.StashKey[Any] = pytest.StashKey()  # its limit in pytest-timeout
REPETITION_LOAD: pytest.StashKey[Load] = pytest.StashKey()  # while a repetition runs: the load around its body
LAST_REPETITION: pytest.StashKey[RecordedAttempt] = pytest.StashKey()  # after a repetition: its attempt
REPETITION_VERDICTS: pytest.StashKey[Iterable[LimitVerdict]] = pytest.StashKey()  # on the limits that need repetitions
MORE_RUNS_FOLLOW: pytest.StashKey[bool] = pytest.StashKey()  # while it is run several times: not for the last time
HELD_LOAD: pytest.StashKey[Load] = pytest.StashKey()  # while it is run several times: the load around all of the runs
