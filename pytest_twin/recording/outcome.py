"""How a test went, as pytest counts it: the outcomes of its phases, and what they come to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PASSED, FAILED, SKIPPED, ERROR = "passed", "failed", "skipped", "error"
KNOWN = frozenset({PASSED, FAILED, SKIPPED})  # of a report; plugins have others for one that is none yet
PART = "part"  # beside setup, call and teardown: the worst of what was reported before the body had ended


def of_report(report: pytest.TestReport) -> str:
    """The outcome of a phase, by its report."""
    if hasattr(report, "wasxfail") and not report.failed:
        return "xfailed" if report.skipped else "xpassed"
    return report.outcome


def of_exception(error: BaseException) -> str:
    """The outcome of a phase that raised this, as far as that tells."""
    return SKIPPED if isinstance(error, pytest.skip.Exception) else FAILED


def of_phases(phases: Mapping[str, str]) -> str:
    """The outcome of a test: its body counts, unless something of it failed.

    A subtest decides only by failing, and a teardown too: pytest counts it beside its test.
    """
    if FAILED in {phases.get("call"), phases.get(PART)}:
        return FAILED
    if FAILED in {phases.get("setup"), phases.get("teardown")}:
        return ERROR
    if "call" in phases:
        return phases["call"]
    began = phases.get("setup", PASSED)
    return SKIPPED if began == PASSED else began  # its body was not called (--setup-only)


def counted(stats: Mapping[str, Iterable[object]]) -> dict[str, int]:
    """How many tests went how, as the last line of pytest says it.

    Args:
        stats: The reports that it has shown, by their outcome, and warnings and tests that were left out.
    """
    found = {name: reports for name, reports in stats.items() if name not in {"", "warnings", "deselected"}}
    many = {name: sum(map(_counts, reports)) for name, reports in found.items()}
    return {name: number for name, number in many.items() if number}


def _counts(report: object) -> bool:
    return bool(getattr(report, "count_towards_summary", True))
