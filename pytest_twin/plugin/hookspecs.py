"""Hooks that pytest-twin calls; implement them in a conftest.py or a plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_twin.model.event import Event


@pytest.hookspec
def pytest_twin_event(event: Event, config: pytest.Config) -> None:
    """Called with each event of the run: a test, a load, a phase, a note.

    It is called in the main thread of the process in which the event happened, at the next border of a test's phase;
    ``event.elapsed_s`` is when it really happened.

    Args:
        event: One row of annotations.csv, as `pytest_twin.model.event.Event`.
        config: The pytest configuration.
    """
