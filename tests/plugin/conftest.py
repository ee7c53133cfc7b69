"""Inner pytest runs."""

from __future__ import annotations

import pytest
from inner_runs import _wide_terminal, categories, few_plugins, left, no_hypothesis, nothing_is_left

__all__ = ["_wide_terminal", "categories", "few_plugins", "left", "no_hypothesis", "nothing_is_left"]


@pytest.fixture(autouse=True)
def _idle_machine(monkeypatch):
    """Make this machine one that does nothing at idle, so that replays in inner runs of this process add all."""
    monkeypatch.setattr("pytest_twin.telemetry.cpu_usage.measure_cpu_share", lambda: 0.0)
