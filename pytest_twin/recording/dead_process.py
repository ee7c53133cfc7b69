"""Complete the rows of a process that died.

A pytest-xdist worker or a fork that dies is completed by the process that goes on; a pytest process that was killed, or
that ended by ``os._exit``, by its sampler.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_twin._system.clock import monotonic
from pytest_twin._system.stdlib import time
from pytest_twin.model import event
from pytest_twin.run_folder.folder import RunFolder
from pytest_twin.run_folder.layout import ANNOTATIONS
from pytest_twin.run_folder.recovery import abort_unfinished, has_unfinished, recover, unfinished_starts

if TYPE_CHECKING:
    from pytest_twin._system.append_file import AppendOnlyFile
    from pytest_twin.model.clock import Clock
    from pytest_twin.recording.recording import Recording
    from pytest_twin.run_folder.recovery import Keeps

WORKERS_END_WITHIN_S = 30.0  # pytest-xdist's workers go on for some seconds after their controller has died
POLL_INTERVAL_S = 0.05


def abort_open_events(recording: Recording, worker: str, outcome: str, keeps: Keeps) -> list[tuple[str, str]]:
    """Write an abort for every event that a worker began and did not end, and a row of tests.csv for each of its tests.

    Args:
        recording: That of the controller; for a fork in which a test ran, that of the process that forked.
        worker: The worker that ended; ``*`` for all workers, and empty where there are none.
        outcome: The outcome of its tests: crashed, or interrupted.
        keeps: Returns whether a test gets a folder of its own, by its outcome and whether it ran under a load.

    Returns:
        The worker and the id of each of these tests.
    """
    at, folder = recording.elapsed(), recording.folder
    # the aborts of earlier calls are in the table of this process
    tables = dict.fromkeys((*folder.parts(ANNOTATIONS, worker), folder / ANNOTATIONS))
    if not has_unfinished(tables):  # so it is after most runs
        return []
    rows = [row for table in tables for row in folder.rows(table.name)]
    open_starts = [row for row in unfinished_starts(rows) if row["worker"] or row["test"]]
    events, tests = abort_unfinished(open_starts, rows, at, outcome, keeps, dist_each=recording.dist_each)
    for each in events:
        recording.emit(each)
    for line in tests:
        recording.write_test(line)
    return [(row["worker"], row["test"]) for row in open_starts if row["type"] == event.TEST]


def complete_abandoned_run(path: str, samples: AppendOnlyFile, clock: Clock) -> None:
    """Complete the files of a run whose pytest process died, once no other process writes to them.

    Args:
        path: The run folder.
        samples: The dataset of the run.
        clock: The clock of the run.
    """
    folder = RunFolder(Path(path))
    deadline = monotonic() + WORKERS_END_WITHIN_S
    while samples.is_in_place and folder.has_workers and monotonic() < deadline:
        time.sleep(POLL_INTERVAL_S)
    if samples.is_in_place:  # otherwise the next run has the folder: it removes the dataset first
        recover(folder, clock.elapsed(monotonic()))
