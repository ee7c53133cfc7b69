"""What is put around one test: its turn, the load of its marks, and a schedule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

import pytest

from pytest_twin.plugin.warnings import TwinWarning

if TYPE_CHECKING:
    from pytest_twin.loads.applied import AppliedLoad
    from pytest_twin.loads.schedule.schedule import Schedule
    from pytest_twin.loads.spec import Load
    from pytest_twin.recording.attempt import RecordedAttempt
    from pytest_twin.recording.recording import Recording


@contextmanager
def load_around_test(
    attempt: RecordedAttempt, recording: Recording, load: Load, plan: Schedule | None
) -> Iterator[None]:
    """Keep a load and a schedule around the body of a test, which begins when what starts at once is really there.

    What there was less than asked fails the test where it was asked for strictly; see `shortfalls` for the other loads.
    """
    applied: list[AppliedLoad] = []
    played = nullcontext() if plan is None else _played(attempt, recording, plan, applied)
    try:
        with played:
            if load:
                attempt.add_load(str(load))
            with recording.under_load(load, test=attempt.nodeid) as loads:
                applied += loads
                _fail(each for each in applied if each.failure)
                yield
    finally:
        attempt.applied = applied
    _fail(applied)


def shortfalls(attempt: RecordedAttempt) -> list[str]:
    """What is to be said of the loads around a test that were less than asked, and that need not be."""
    lenient = [] if attempt.is_repetition else [each for each in attempt.applied if not each.part.strict]
    return [f"{each.part}: {trouble}" for each in lenient if (trouble := each.problem)]


@contextmanager
def _played(
    attempt: RecordedAttempt, recording: Recording, plan: Schedule, applied: list[AppliedLoad]
) -> Iterator[None]:
    if plan.is_for(attempt.nodeid):
        attempt.add_load(plan.label)
    from pytest_twin.loads.player import SchedulePlayer

    player = SchedulePlayer(plan, recording, test=attempt.nodeid, prefix=f"{attempt.id}/")
    try:
        recording.start_supervisor()
        player.start(recording.load_time())
        player.wait_for_first()
        yield
    finally:
        player.stop()
        applied += player.applied


def warn(item: pytest.Item, texts: Iterable[str], *, is_failing: bool) -> None:
    """Warn at a test, with each of these texts.

    Args:
        item: The test.
        texts: What there is to say.
        is_failing: Whether it raises something anyway, which warnings that are errors do not replace.

    Raises:
        TwinWarning: Warnings are errors, and nothing else fails the test.
    """
    for text in texts:
        try:
            item.warn(TwinWarning(text))
        except TwinWarning:
            if not is_failing:
                raise
            item.add_report_section("call", "warning", text)


def _fail(applied: Iterable[AppliedLoad]) -> None:
    """Fail the test for what was asked for strictly and was not had.

    Raises:
        pytest.fail.Exception: There is something.
    """
    if wrong := strict_troubles(applied):
        pytest.fail("\n".join(wrong), pytrace=False)


def strict_troubles(applied: Iterable[AppliedLoad]) -> list[str]:
    """What is to be said of loads that were asked for strictly and were not had, a line each."""
    return [f"{each.part} strict: {trouble}" for each in applied if each.part.strict and (trouble := each.problem)]
