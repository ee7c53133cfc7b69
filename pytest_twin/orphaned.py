"""What the sampler does for a pytest process that was killed, or left by ``os._exit``: it ends the test that ran."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_twin.analysis.unended import unended
from pytest_twin.crashed import ends_of
from pytest_twin.layout import ANNOTATIONS, TESTS
from pytest_twin.model.attempt import CRASHED
from pytest_twin.run_folder import RunFolder, RunFolderError

if TYPE_CHECKING:
    from pytest_twin.model.clock import Clock
    from pytest_twin.rows import Rows


def end_what_was_left(path: str, samples: Rows, clock: Clock) -> None:
    """Write an abort for the test that was running and for its loads, and its row.

    Args:
        path: The run folder.
        samples: The dataset of the run.
        clock: Its clock.
    """
    folder = RunFolder(Path(path))
    try:
        annotations, tests = folder.table(ANNOTATIONS), folder.table(TESTS)
    except RunFolderError:
        return
    if not samples.is_in_place:  # the next run has the folder; it removes the dataset first
        return
    at, rows = clock.elapsed(time.monotonic()), folder.rows(ANNOTATIONS)
    left = [row for row in unended(rows) if row["test"]]
    events, lines = ends_of(left, rows, at, CRASHED, lambda *_: False)
    for each in events:
        annotations.append(each.row(clock))
    for line in lines:
        tests.append(line)
