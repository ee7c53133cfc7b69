"""The verdict on a test's budget, as pytest hears it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_twin.analysis.budgets.budget import OVER, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_twin.analysis.budgets.budget import LimitVerdict
    from pytest_twin.recording.attempt import RecordedAttempt


def is_broken(findings: Iterable[LimitVerdict], inconclusive: str) -> bool:
    """Whether a budget fails its test.

    Args:
        findings: The verdicts on it.
        inconclusive: Whether what could not be told fails the test too: `fail` or `pass`.
    """
    return any(each.verdict == OVER or (each.verdict == UNKNOWN and inconclusive == "fail") for each in findings)


def report_budget_verdict(attempt: RecordedAttempt, place: str, inconclusive: str) -> None:
    """Fail a test whose body has passed and was over budget.

    Args:
        attempt: What it spent.
        place: Where the files tell more.
        inconclusive: As in `is_broken`.

    Raises:
        pytest.fail.Exception: It was over budget.
    """
    if is_broken(attempt.verdicts, inconclusive):
        over = [f"over budget: {each.text}" for each in attempt.verdicts if each.verdict == OVER]
        told = [*over, *(unknown(attempt.verdicts) if inconclusive == "fail" else ())]
        under = [f"under {load}" for load in attempt.achieved_loads]
        pytest.fail("\n".join([*told, *under, f"see {place}"]), pytrace=False)


def unknown(findings: Iterable[LimitVerdict]) -> list[str]:
    """What is to be said of the limits that could not be judged."""
    return [f"budget: {each.text}" for each in findings if each.verdict == UNKNOWN]
