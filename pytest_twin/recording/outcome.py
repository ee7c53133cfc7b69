"""The outcome of a test, as pytest counts it, from the outcomes of its phases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PASSED, FAILED, SKIPPED, ERROR = "passed", "failed", "skipped", "error"
REPORT_OUTCOMES = frozenset({PASSED, FAILED, SKIPPED})  # plugins have others for a report that is not final
SUBTESTS = "part"  # a phase beside setup, call and teardown: the worst report that came during the body


def classify_report(report: pytest.TestReport) -> str:
    """Return the outcome of a phase by its report."""
    if hasattr(report, "wasxfail") and report.outcome != FAILED:
        return "xfailed" if report.outcome == SKIPPED else "xpassed"
    return report.outcome


def classify_exception(error: BaseException) -> str:
    """Return the outcome of a phase that raised an exception, until its report is known."""
    return SKIPPED if isinstance(error, pytest.skip.Exception) else FAILED


def combine_phases(phases: Mapping[str, str]) -> str:
    """Return the outcome of a test: that of its body, unless a subtest, the set-up or the teardown failed.

    Args:
        phases: The outcome of each phase, as far as it is known.
    """
    call = phases.get("call")
    if FAILED in (call, phases.get(SUBTESTS)):
        return FAILED
    setup = phases.get("setup", PASSED)
    if FAILED in (setup, phases.get("teardown")):
        return ERROR
    if call is not None:
        return call
    return SKIPPED if setup == PASSED else setup  # its body was not called (--setup-only)


def count_outcomes(stats: Mapping[str, Iterable[object]]) -> dict[str, int]:
    """Return the number of tests by outcome, as in the last line of pytest.

    Args:
        stats: The reports that pytest's terminal reporter has shown, by their category.
    """
    categories = {name: reports for name, reports in stats.items() if name not in {"", "warnings", "deselected"}}
    counts = {name: sum(map(_is_counted, reports)) for name, reports in categories.items()}
    return {name: number for name, number in counts.items() if number}


def _is_counted(report: object) -> bool:
    return bool(getattr(report, "count_towards_summary", True))
