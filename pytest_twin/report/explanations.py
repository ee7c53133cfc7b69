"""What stood out while each failed test of a run ran."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING

from pytest_twin.analysis.run.explanation import COLUMNS, explain
from pytest_twin.model.attempt_failure import AttemptKey, parse_failures
from pytest_twin.model.attempt_row import BAD
from pytest_twin.run_folder.csv_rows import read_rows_with
from pytest_twin.run_folder.layout import FAILURES, TESTS
from pytest_twin.run_folder.samples_of_tests import figures_of_tests

if TYPE_CHECKING:
    from pytest_twin.analysis.run.overview import Row
    from pytest_twin.run_folder.folder import RunFolder

MOST = 1000  # failed attempts that are explained


def explain_failures(folder: RunFolder, most: int = MOST, *, once: bool = False) -> Mapping[AttemptKey, str]:
    """Return a sentence for each failed attempt, for the first ones of very many.

    Repetitions that pytest does not report, such as those of a profile, are left out as in `RunSummary.failed`.

    Args:
        folder: The run.
        most: The number of attempts to explain.
        once: Explain only the first failed attempt of each test, which repetitions may have many of.

    Raises:
        OSError: tests.csv cannot be read.
        ValueError: It is damaged.
    """
    bad = list(read_rows_with(folder / TESTS, "outcome", BAD))
    if not bad:
        return {}
    passes: dict[tuple[str, str], list[Row]] = {(test["host"], test["nodeid"]): [] for test in bad}
    last: dict[tuple[str, str], str] = {}
    for test in read_rows_with(folder / TESTS, "nodeid", {test["nodeid"] for test in bad}):
        if (its := passes.get(test_key := (test["host"], test["nodeid"]))) is not None:
            last[test_key] = test["outcome"]
            if test["outcome"] == "passed":
                its.append(test)
    reported = {failure.which for failure in parse_failures(folder.text(FAILURES))}
    failed: Iterator[Row] = (
        each for each in bad if last[each["host"], each["nodeid"]] in BAD or attempt_key(each) in reported
    )
    if once:
        first: dict[tuple[str, str], Row] = {}
        for each in failed:
            first.setdefault((each["host"], each["nodeid"]), each)
        failed = iter(first.values())
    chosen = list(islice(failed, most))
    return {
        attempt_key(test): explain(test, figures, passes[test["host"], test["nodeid"]])
        for test, figures in zip(chosen, figures_of_tests(folder, chosen, COLUMNS), strict=True)
    }


def attempt_key(test: Row) -> AttemptKey:
    """Return what an attempt is known by in all files of a run."""
    return test["host"], test["nodeid"], test["worker"], int(test["attempt"] or 1)
