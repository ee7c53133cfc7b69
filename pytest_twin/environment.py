"""The environment of the processes that we start."""

from __future__ import annotations

from pytest_twin.stdlib import os

TESTS_OWN = "PYTEST_CURRENT_TEST"  # pytest puts the test's id there, which may be longer than execve(2) takes


def for_child() -> dict[str, str]:
    """That of this process, without the id of the test that is running."""
    return {name: value for name, value in os.environ.items() if name != TESTS_OWN}
