"""What stood out while each failed test of a run ran."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING

from pytest_twin.analysis.run.explanation import COLUMNS, explain
from pytest_twin.model.attempt_failure import AttemptKey
from pytest_twin.model.attempt_row import BAD
from pytest_twin.run_folder.layout import TESTS
from pytest_twin.run_folder.samples_of_tests import figures_of_tests

if TYPE_CHECKING:
    from pytest_twin.analysis.run.overview import Row
    from pytest_twin.run_folder.folder import RunFolder

MOST = 1000  # failed attempts that are explained


def explain_failures(folder: RunFolder, most: int = MOST) -> Mapping[AttemptKey, str]:
    """Return a sentence for each failed attempt, for the first ones of very many.

    Args:
        folder: The run.
        most: The number of attempts to explain.

    Raises:
        OSError: tests.csv cannot be read.
        ValueError: It is damaged.
    """
    bad = list(islice((test for test in folder.iterate_rows(TESTS) if test["outcome"] in BAD), most))
    if not bad:
        return {}
    wanted: dict[tuple[str, str], list[Row]] = {(test["host"], test["nodeid"]): [] for test in bad}
    for test in folder.iterate_rows(TESTS):  # not kept: a run may have many
        if test["outcome"] == "passed" and (its := wanted.get((test["host"], test["nodeid"]))) is not None:
            its.append(test)
    figures = figures_of_tests(folder, bad, COLUMNS)
    return {
        attempt_key(test): explain(test, known, wanted[test["host"], test["nodeid"]])
        for test, known in zip(bad, figures, strict=True)
    }


def attempt_key(test: Row) -> AttemptKey:
    """Return what an attempt is known by in all files of a run."""
    return test["host"], test["nodeid"], test["worker"], int(test["attempt"] or 1)
