"""Constrain a process that runs tests from before its first test to the end of its last (``--twin-constrain``)."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from pytest_twin._system.stdlib import os
from pytest_twin.plugin.hook_object import HookObject
from pytest_twin.plugin.load_context import strict_shortfalls
from pytest_twin.plugin.marks import runs_tests
from pytest_twin.settings.options import SettingsError, flag

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_twin.loads.applied import AppliedLoad
    from pytest_twin.loads.spec import Load
    from pytest_twin.recording.recording import Recording
    from pytest_twin.settings.options import Settings


class SessionConstraintHooks(HookObject):
    """Hooks of a process that runs tests under the constraint of the session: pytest, or a pytest-xdist worker."""

    def __init__(self, start: Callable[[], Recording], load: Load) -> None:
        """Prepare them.

        Args:
            start: Starts the recording if it has not started, and returns it.
            load: The constraint.
        """
        self._start, self._load = start, load
        self._stack = ExitStack()
        self._applied: list[AppliedLoad] = []

    def begin(self) -> None:
        """Constrain this process and its children; does nothing if that is done.

        Raises:
            pytest.UsageError: The constraint cannot be enforced.
        """
        if self._applied:
            return
        applied = self._stack.enter_context(self._start().under_load(self._load))
        if failures := [each.failure for each in applied if each.failure]:
            self._stack.close()
            raise pytest.UsageError(f"{flag('constrain')}: {failures[0]}")
        self._applied = applied

    @property
    def strict_error(self) -> str:
        """A line if the constraint ended too early; empty otherwise."""
        return "\n".join(strict_shortfalls(self._applied))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Constrain the tests, and not what is done after them with the files of the run."""
        if runs_tests(session):
            self.begin()
        with self._stack:
            return (yield)


def check_constraint(load: Load) -> None:
    """Enforce the constraint on this process for a moment.

    Raises:
        SettingsError: That is not possible.
    """
    from pytest_twin.loads.supervisor_client import SupervisorClient

    client = SupervisorClient(lambda *_: None, lambda _: None)
    try:
        for part in load.parts:
            applied = client.apply(part, part.request("check").with_options(pid=os.getpid()))
            if not applied.wait_ready():
                raise SettingsError(f"{flag('constrain')}: {applied.failure}")
            applied.stop()
    finally:
        client.close()


def constraint_of(settings: Settings, *, must_take_away: bool) -> Load:
    """Parse the constraint of the session, and check that this platform can constrain processes.

    Args:
        settings: The settings of the session.
        must_take_away: Whether it is an error that it allows more than this machine has.

    Raises:
        SettingsError: It is invalid.
    """
    from pytest_twin.loads.constraint import ConstraintError
    from pytest_twin.loads.validation import read_constraint

    try:
        return read_constraint(settings.constrain, must_take_away=must_take_away)
    except ConstraintError as error:
        key, problem = error.problems[0]
        raise SettingsError(f"{settings.written('constrain')}: {f'{key}: ' if key else ''}{problem}") from None
