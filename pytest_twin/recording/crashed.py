"""What a process left open that died, a pytest-xdist worker or a fork: it is ended, so that the tables tell of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_twin.model import event
from pytest_twin.run_folder.layout import ANNOTATIONS
from pytest_twin.run_folder.recovery import ends_of
from pytest_twin.run_folder.unfinished import unended

if TYPE_CHECKING:
    from pytest_twin.recording.recording import Recording
    from pytest_twin.run_folder.recovery import Keeps


def end_what_is_open(recording: Recording, worker: str, outcome: str, keeps: Keeps) -> list[tuple[str, str]]:
    """Write an abort for everything that a worker began and did not end, and a row for each test of it.

    Comes back with those tests, each as its worker and its id.

    Args:
        recording: That of the controller; that of the process itself for a fork in which a test ran.
        worker: The worker, of which nothing more comes; ``*`` for all, and empty where there are none.
        outcome: How its tests ended: crashed, or interrupted.
        keeps: Says whether a test gets a folder of its own, by its outcome and whether it ran under a load.
    """
    at, folder = recording.elapsed(), recording.folder
    # in ours are the aborts of earlier calls
    tables = dict.fromkeys((*folder.parts(ANNOTATIONS, worker), folder / ANNOTATIONS))
    rows = [row for table in tables for row in folder.rows(table.name)]
    left = [row for row in unended(rows) if row["worker"] or row["test"]]
    events, tests = ends_of(left, rows, at, outcome, keeps, dist_each=recording.dist_each)
    for each in events:
        recording.emit(each)
    for line in tests:
        recording.write_test(line)
    return [(row["worker"], row["test"]) for row in left if row["type"] == event.TEST]
