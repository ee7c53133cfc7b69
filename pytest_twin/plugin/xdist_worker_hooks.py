"""Run each stressed test of a pytest-xdist worker while no other worker of its host runs a test."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from pytest_twin._system.error_guard import guarded
from pytest_twin._system.locks import SharedExclusiveLock
from pytest_twin.plugin.hook_object import HookObject
from pytest_twin.plugin.marks import runs_alone

if TYPE_CHECKING:
    from pytest_twin._system.error_guard import ErrorGuard
    from pytest_twin.plugin.session import RecordedSession


class XdistWorkerHooks(HookObject):
    """Lets each test of a pytest-xdist worker wait until it may run."""

    def __init__(self, lock: SharedExclusiveLock, alone: Container[str], guard: ErrorGuard) -> None:
        """Prepare it.

        Args:
            lock: The lock that all workers of the host share.
            alone: The ids of the tests that run alone.
            guard: Lets a test run where the lock fails.
        """
        self._lock, self._alone, self.guard = lock, alone, guard

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    @guarded
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Hold the lock while a test runs, exclusively for one that runs alone."""
        with self._lock.hold(exclusive=item.nodeid in self._alone):
            return (yield)


def isolate_stressed_tests(run: RecordedSession, items: Iterable[pytest.Item]) -> None:
    """Let the tests of a pytest-xdist worker that run under load wait for those of other workers, and they for them.

    Args:
        run: The session of the worker.
        items: Its tests.
    """
    is_for_all = run.settings.profile or run.stress or run.surroundings
    alone = {item.nodeid for item in items if is_for_all or runs_alone(item, run.for_each_test)}
    if alone:
        run.start()
        lock_dir = run.remote_worker.lock_dir if run.remote_worker is not None else run.folder.path
        lock = run.stack.enter_context(closing(SharedExclusiveLock(lock_dir)))
        run.config.pluginmanager.register(XdistWorkerHooks(lock, alone, run.guard))
