"""The verdict on a test's budget, as pytest hears it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_twin.around import TwinWarning
from pytest_twin.model.budget import OVER, UNKNOWN

if TYPE_CHECKING:
    from pytest_twin.attempt import Attempt


def fail_if_over(item: pytest.Item, attempt: Attempt, place: str, inconclusive: str) -> None:
    """Fail a test whose body has passed and was over budget; what could not be told is a warning at the test.

    Args:
        item: The test.
        attempt: What it spent.
        place: Where the files tell more.
        inconclusive: Whether what could not be told fails it too: `fail` or `pass`.

    Raises:
        pytest.fail.Exception: It was over budget.
    """
    unknown = [each.text for each in attempt.findings if each.verdict == UNKNOWN]
    over = [f"over budget: {each.text}" for each in attempt.findings if each.verdict == OVER]
    if inconclusive == "fail":
        over += [f"budget: {text}" for text in unknown]
    else:
        for text in unknown:
            item.warn(TwinWarning(f"budget: {text}"))
    if over:
        under = [f"under {load}" for load in attempt.had]
        pytest.fail("\n".join([*over, *under, f"see {place}"]), pytrace=False)
