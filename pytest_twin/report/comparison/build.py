"""Read the two sides of a comparison and compare them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_twin.run_folder.baselines import RunSet
from pytest_twin.run_folder.layout import TESTS

if TYPE_CHECKING:
    from pytest_twin.analysis.comparison.comparison import Comparison
    from pytest_twin.analysis.comparison.side import Side
    from pytest_twin.model.measure import ChangeLimit
    from pytest_twin.model.run import Run


def comparison(
    before: RunSet,
    after: RunSet,
    limits: Sequence[ChangeLimit],
    runs_after: Sequence[Run] | None = None,
    *,
    scale_by_speed: bool = False,
) -> Comparison:
    """Compare runs.

    Args:
        before: The runs before a change.
        after: The runs after it.
        limits: By how much figures may grow.
        runs_after: The runs after it, where they were read already.
        scale_by_speed: Scale CPU seconds to the speed of the first machine before.

    Raises:
        ReadingError: A folder cannot be read.
        IncomparableError: They have nothing in common.
        UnknownSpeedError: They are to be scaled, and the speed of a machine is not known.
    """
    from pytest_twin.analysis.comparison.comparison import compare

    return compare(side(before), side(after, runs_after), limits, scale_by_speed=scale_by_speed)


def side(found: RunSet, runs: Sequence[Run] | None = None) -> Side:
    """Return one side of a comparison.

    Args:
        found: The runs of the side.
        runs: The same, where they were read already.

    Raises:
        ReadingError: A folder cannot be read.
    """
    from pytest_twin.analysis.comparison.side import Side
    from pytest_twin.analysis.run.by_host import by_host
    from pytest_twin.run_folder.frames import load

    runs = [load(path) for path in found.paths] if runs is None else runs
    fingerprints = [{host: own.fingerprint for host, own in by_host(run).items()} for run in runs]
    problems = [each for run in runs for each in run.problems if each.startswith(str(run.path / TESTS))]
    return Side(found.name, [run.tests for run in runs], fingerprints, problems)
