"""What a process left open that died, a pytest-xdist worker or a fork: it is ended, so that the tables tell of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_twin.analysis.unended import unended
from pytest_twin.layout import ANNOTATIONS, HEADERS, TESTS, folder_of
from pytest_twin.model import event
from pytest_twin.model.attempt import CRASHED
from pytest_twin.model.event import Event, detail
from pytest_twin.model.table import record
from pytest_twin.supervisor import kinds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pytest_twin.recording import Recording

    Row = dict[str, str]
    Keeps = Callable[[str, bool], bool]


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
    events, tests = ends_of(left, rows, at, outcome, keeps, apart=recording.apart)
    for each in events:
        recording.emit(each)
    for line in tests:
        recording.write_test(line)
    return [(row["worker"], row["test"]) for row in left if row["type"] == event.TEST]


def ends_of(
    left: Sequence[Row], rows: Sequence[Row], at: float, outcome: str, keeps: Keeps, *, apart: bool = False
) -> tuple[list[Event], list[str]]:
    """The aborts of what was begun and not ended, what began last first, and the lines of tests.csv.

    Args:
        left: The starts of it.
        rows: All events that there are.
        at: When it ended.
        outcome: How its tests ended: crashed, or interrupted.
        keeps: As in `end_what_is_open`.
        apart: Whether each pytest-xdist worker runs all tests.
    """
    tests = [row for row in left if row["type"] == event.TEST]
    lines = [_row_of(row, rows, at, outcome, keeps, row["worker"] if apart else "") for row in tests]
    return [_aborted(row, at, outcome) for row in reversed(left)], lines


def _aborted(row: Row, at: float, outcome: str) -> Event:
    """The end of what began with this row, at that time, where its process ended so."""
    said = row["detail"]
    if row["type"] == event.TEST:
        said = outcome
    elif row["target"]:
        held = round(at - float(row["elapsed_s"]), 4)
        reason = "its process crashed" if outcome == CRASHED else "its process was stopped"
        said = detail("", {"reason": reason, "held_s": held})
    which = row["id"], row["type"], row["test"], row["worker"], row.get("host", ""), row["target"]
    return Event(at, event.ABORT, *which, detail=said)


def _row_of(start: Row, rows: Iterable[Row], at: float, outcome: str, keeps: Keeps, apart: str) -> str:
    """The row of tests.csv: what died had no time to hand on its figures, so they are empty."""
    nodeid, began = start["test"], float(start["elapsed_s"])
    mine = [row for row in rows if (row["test"], row["worker"], row["event"]) == (nodeid, start["worker"], event.START)]
    number = sum(row["type"] == event.TEST for row in mine)
    loads = [
        f"{_keyword(row['type'])}={row['target']}" for row in mine if row["target"] and float(row["elapsed_s"]) >= began
    ]
    cells = {
        "nodeid": nodeid,
        "attempt": str(number),
        "worker": start["worker"],
        "host": start.get("host", ""),
        "outcome": outcome,
        "start": start["timestamp"],
        "elapsed_s": start["elapsed_s"],
        "duration_s": f"{at - began:.6f}",
        "load": " ".join(loads),
        "folder": folder_of(nodeid, number, apart) if keeps(outcome, bool(loads)) else "",
    }
    return record([cells.get(name, "") for name in HEADERS[TESTS]])


def _keyword(kind: str) -> str:
    """The keyword that asks for loads of a type."""
    return next((each.keyword for each in kinds().values() if each.type == kind), kind)
