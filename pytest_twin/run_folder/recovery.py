"""Complete the files of a run that was killed, and write an end for everything that was running."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from pytest_twin._system.private_files import why_untrusted
from pytest_twin._system.stdlib import os
from pytest_twin.loads.registry import kinds
from pytest_twin.model import event
from pytest_twin.model.attempt_row import CRASHED
from pytest_twin.model.clock import Clock
from pytest_twin.model.csv_text import record
from pytest_twin.model.event import Event, detail
from pytest_twin.run_folder.csv_rows import read_columns
from pytest_twin.run_folder.finalize import finalize
from pytest_twin.run_folder.folder import RunFolderError
from pytest_twin.run_folder.layout import ANNOTATIONS, HEADERS, TESTS, folder_of_test
from pytest_twin.run_folder.sample_lines import SampleLines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from pytest_twin.run_folder.folder import RunFolder

    Row = dict[str, str]
    Keeps = Callable[[str, bool], bool]


def recover(folder: RunFolder, at: float | None = None) -> None:
    """Complete the files of a run that was killed; do nothing while one of its processes, or another run, is active.

    Files that cannot be changed, such as those in a read-only folder, stay as they are.

    Args:
        folder: The run.
        at: End of the run, in seconds since it began; None is the time of its last row.
    """
    if not folder.is_incomplete or why_untrusted(folder.path) or not os.access(folder.path, os.W_OK | os.X_OK):
        return
    try:
        folder.claim(is_brief=True)
    except RunFolderError:
        return
    try:
        if not folder.has_workers:
            _complete(folder, at)
    except (OSError, ValueError, KeyError):  # what is damaged is left to those who read it
        pass
    finally:
        folder.release()


def _complete(folder: RunFolder, at: float | None) -> None:
    events, tests = (_rows(folder, name) for name in (ANNOTATIONS, TESTS))
    samples = SampleLines.read(folder.dataset_files())
    if at is None:
        at = max([*samples.times[-1:], *(float(row["elapsed_s"]) for row in (*events, *tests))], default=0.0)
    left = [row for row in unfinished_starts(events) if row["test"] or row["worker"] or row["target"]]
    if left:
        recorded = {(row["nodeid"], row["worker"], row["start"]) for row in tests}
        without_row = [row for row in left if (row["test"], row["worker"], row["timestamp"]) not in recorded]
        _append(folder, TESTS, abort_unfinished(without_row, events, at, CRASHED, lambda *_: False)[1])
        clock = _clock_of(left[-1])
        aborts, _ = abort_unfinished(left, events, at, CRASHED, lambda *_: False)
        _append(folder, ANNOTATIONS, (each.row(clock) for each in aborts))
    interval = (samples.times[-1] - samples.times[0]) / (len(samples.times) - 1) if len(samples.times) > 1 else 0.0
    finalize(folder, interval, dist_each=_is_dist_each(tests))


def _rows(folder: RunFolder, name: str) -> list[Row]:
    """Return the rows of the parts of a table, then of the table, where the controller aborts what workers began."""
    paths = dict.fromkeys((*folder.parts(name), folder / name))
    return [row for path in paths for row in folder.rows(path.name)]


def _append(folder: RunFolder, name: str, lines: Iterable[str]) -> None:
    table = folder.table(name)
    for line in lines:
        table.append(line)
    table.close()


def _clock_of(row: Row) -> Clock:
    """Return the clock that stamped a row."""
    elapsed = float(row["elapsed_s"])
    return Clock(0.0, datetime.fromisoformat(row["timestamp"]).timestamp() - elapsed)


def _is_dist_each(tests: Iterable[Row]) -> bool:
    """Tell whether each pytest-xdist worker ran all tests: then one attempt of a test ended in several workers."""
    where: dict[tuple[str, str], str] = {}
    ended = (row for row in tests if row["outcome"] != CRASHED)
    return any(where.setdefault((row["nodeid"], row["attempt"]), row["worker"]) != row["worker"] for row in ended)


def abort_unfinished(
    left: Sequence[Row], rows: Sequence[Row], at: float, outcome: str, keeps: Keeps, *, dist_each: bool = False
) -> tuple[list[Event], list[str]]:
    """Return an abort for everything that did not end, last start first, and a line of tests.csv for each such test.

    Args:
        left: The starts without an end.
        rows: All events.
        at: Time of the end.
        outcome: Outcome of the tests: crashed or interrupted.
        keeps: Tells whether a test gets a folder, by its outcome and whether it ran under a load.
        dist_each: Whether each pytest-xdist worker runs all tests.
    """
    tests = [row for row in left if row["type"] == event.TEST]
    lines = [_test_row(row, rows, at, outcome, keeps, row["worker"] if dist_each else "") for row in tests]
    return [_abort_event(row, at, outcome) for row in reversed(left)], lines


def _abort_event(row: Row, at: float, outcome: str) -> Event:
    """Return the abort of what began with this row."""
    text = row["detail"]
    if row["type"] == event.TEST:
        text = outcome
    elif row["target"]:
        held = round(at - float(row["elapsed_s"]), 4)
        reason = "its process crashed" if outcome == CRASHED else "its process was stopped"
        text = detail("", {"reason": reason, "held_s": held})
    which = row["id"], row["type"], row["test"], row["worker"], row.get("host", ""), row["target"]
    return Event(at, event.ABORT, *which, detail=text)


def _test_row(start: Row, rows: Iterable[Row], at: float, outcome: str, keeps: Keeps, dist_each: str) -> str:
    """Return the row of a test in tests.csv. Its process is dead, so its exact figures are empty."""
    nodeid, began = start["test"], float(start["elapsed_s"])
    mine = [row for row in rows if (row["test"], row["worker"], row["event"]) == (nodeid, start["worker"], event.START)]
    number = sum(row["type"] == event.TEST for row in mine)
    loads = [
        f"{_keyword(row['type'])}={row['target']}"
        for row in mine
        if row["target"] and row["type"] != event.CONSTRAINT and float(row["elapsed_s"]) >= began
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
        "folder": folder_of_test(nodeid, number, dist_each) if keeps(outcome, bool(loads)) else "",
        "constraint": ", ".join(_constraints_since(began, rows, start["worker"])),
    }
    return record([cells.get(name, "") for name in HEADERS[TESTS]])


def _constraints_since(began: float, rows: Iterable[Row], worker: str) -> dict[str, None]:
    """Return the texts of the constraints that a process was under at some time since then."""
    found: dict[str, str] = {}
    for row in rows:
        if row["type"] == event.CONSTRAINT and row["worker"] == worker:
            if row["event"] == event.START:
                found[row["id"]] = row["target"]
            elif float(row["elapsed_s"]) < began:
                found.pop(row["id"], None)
    return dict.fromkeys(found.values())


def _keyword(kind: str) -> str:
    """Return the keyword of the loads of a type."""
    return next((each.keyword for each in kinds().values() if each.type == kind), kind)


def has_unfinished(tables: Iterable[Path]) -> bool:
    """Tell whether something began in these tables of events and did not end: much faster than to find what it is."""
    left: set[str] = set()
    for path in tables:
        for what, name in read_columns(path, ("event", "id")):
            (left.add if what == event.START else left.discard)(name)
    return bool(left)


def unfinished_starts(annotations: Iterable[Mapping[str, str]]) -> list[dict[str, str]]:
    """Return the start events without an end, in order."""
    found: dict[str, dict[str, str]] = {}
    for row in annotations:
        if row["event"] == event.START:
            found[row["id"]] = dict(row)
        else:
            found.pop(row["id"], None)
    return list(found.values())
