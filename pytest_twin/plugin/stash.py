"""What the plugin keeps with pytest's configuration and with each test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from pytest_twin.analysis.budgets.budget import Budget
    from pytest_twin.analysis.budgets.rules import Rule
    from pytest_twin.loads.schedule.schedule import Schedule
    from pytest_twin.loads.spec import Load
    from pytest_twin.recording.attempt import RecordedAttempt
    from pytest_twin.settings.options import Settings


class ItemRequest(NamedTuple):
    """What a test asks for, read and checked: neither files nor markers are read again while it runs.

    Attributes:
        marks: The markers of ours that it has, the closest first.
        load: What is put around it.
        schedule: What is played around it; None if nothing of its own.
        budget: What it may take; None without one.
    """

    marks: Sequence[pytest.Mark] = ()
    load: Load | None = None
    schedule: Schedule | None = None
    budget: Budget | None = None


SETTINGS: pytest.StashKey[Settings] = pytest.StashKey()
SESSION_SCHEDULE: pytest.StashKey[Schedule | None] = pytest.StashKey()
SCHEDULE_TEXTS: pytest.StashKey[dict[str, str]] = pytest.StashKey()  # what was read for it, by name
RUN = "twin-run"  # by this name the run is found, once something asks to be recorded
RULES: pytest.StashKey[Sequence[Rule]] = pytest.StashKey()
REQUEST: pytest.StashKey[ItemRequest] = pytest.StashKey()
TIMES: pytest.StashKey[int] = pytest.StashKey()  # how often it has been begun
REPEATED: pytest.StashKey[Load] = pytest.StashKey()  # in a repetition: the load that it is put under
REPETITION: pytest.StashKey[RecordedAttempt] = pytest.StashKey()  # after a repetition, for who asked for it
LIMIT: pytest.StashKey[Any] = pytest.StashKey()  # what pytest-timeout holds it to
HELD: pytest.StashKey[str] = pytest.StashKey()  # in a repetition: the load that is kept over several of them
