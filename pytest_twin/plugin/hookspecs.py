"""Hooks that pytest-twin calls; implement them in a conftest.py or a plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_twin.model.event import Event


@pytest.hookspec
def pytest_twin_event(event: Event, config: pytest.Config) -> None:
    """Receive an event of the run: a test, a load, a phase, or a note.

    It is called in the main thread of the process in which the event happened, when the next phase of a test begins or
    ends; ``event.elapsed_s`` is the time of the event itself.

    Args:
        event: One row of annotations.csv, a `pytest_twin.Event`.
        config: The pytest configuration.
    """
