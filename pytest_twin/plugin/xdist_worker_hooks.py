"""Hooks of a pytest-xdist worker: a test that runs alone waits until no other worker of its host runs one."""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import TYPE_CHECKING

import pytest

from pytest_twin._system.error_guard import guarded

if TYPE_CHECKING:
    from pytest_twin._system.error_guard import ErrorGuard
    from pytest_twin._system.locks import SharedExclusiveLock


class XdistWorkerHooks:
    """Lets each test of a pytest-xdist worker wait for its turn, whatever else is around it."""

    def __init__(self, turns: SharedExclusiveLock, alone: Container[str], guard: ErrorGuard) -> None:
        """Prepare it.

        Args:
            turns: The way of this worker.
            alone: The tests that run alone.
            guard: Lets a test run where it cannot wait.
        """
        self._turns, self._alone, self.guard = turns, alone, guard

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    @guarded
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Wait, and run."""
        with self._turns.hold(exclusive=item.nodeid in self._alone):
            return (yield)
