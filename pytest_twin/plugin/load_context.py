"""Apply the load and the schedule of a test around its body, and report loads that achieved less than requested."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_twin.loads.applied import AppliedLoad
    from pytest_twin.loads.schedule.schedule import Schedule
    from pytest_twin.loads.spec import Load
    from pytest_twin.recording.attempt import RecordedAttempt
    from pytest_twin.recording.recording import Recording


class TwinWarning(pytest.PytestWarning):
    """A load achieved less than requested, or something could not be recorded."""

    __module__ = "pytest_twin"  # by its public name pytest shows it, and filters of warnings name it


@contextmanager
def load_around_test(
    attempt: RecordedAttempt, recording: Recording, loads: Sequence[Load], plan: Schedule | None
) -> Iterator[None]:
    """Keep loads and a schedule around the body of a test, which begins when all that starts at once is ready.

    Raises:
        pytest.fail.Exception: A strict load achieved less than requested; `shortfalls` has the other loads.
    """
    from pytest_twin.loads.spec import Load

    applied: list[AppliedLoad] = []
    played = nullcontext() if plan is None else _play(attempt, recording, plan, applied)
    attempt.pause_cpu_wait()
    try:
        with played:
            for load in loads:
                if load.adds_load:
                    attempt.add_load(str(load.only(constraints=False)))
            with recording.under_load(Load.merged(loads), test=attempt.nodeid) as around:
                applied += around
                _fail_on_shortfall(each for each in applied if each.failure)
                attempt.resume_cpu_wait()
                try:
                    yield
                finally:
                    attempt.pause_cpu_wait()
    finally:
        attempt.resume_cpu_wait()
        attempt.applied_loads = applied
    _fail_on_shortfall(applied)


def shortfalls(applied: Iterable[AppliedLoad]) -> list[str]:
    """Return a warning for each load that is not strict and achieved less than requested."""
    return [f"{each.part}: {problem}" for each in applied if not each.part.must_hold and (problem := each.problem)]


def strict_shortfalls(applied: Iterable[AppliedLoad]) -> list[str]:
    """Return a line for each strict load that achieved less than requested, and each constraint that did not hold."""
    return [
        f"{each.part}{'' if each.part.is_constraint else ' strict'}: {problem}"
        for each in applied
        if each.part.must_hold and (problem := each.problem)
    ]


def warn(item: pytest.Item, texts: Iterable[str], *, is_failing: bool) -> None:
    """Issue warnings at a test.

    Args:
        item: The test.
        texts: The warnings.
        is_failing: Whether it raises an exception anyway, which a warning that is an error must not replace.

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


@contextmanager
def _play(attempt: RecordedAttempt, recording: Recording, plan: Schedule, applied: list[AppliedLoad]) -> Iterator[None]:
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


def _fail_on_shortfall(applied: Iterable[AppliedLoad]) -> None:
    if lines := strict_shortfalls(applied):
        pytest.fail("\n".join(lines), pytrace=False)
