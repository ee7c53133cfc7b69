"""Convert the event log of the old script collection to the events of today.

One file has rows of two shapes: ``timestamp,event,detail``, with a detail such as ``cpu_spike | PID=42 | command``, and
``start,end,type,command``. Either may have commas in its last cell.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from pytest_twin.loads.schedule.legacy import KIND_OF_TYPE, requested_amount
from pytest_twin.model import event

HEADER = ("timestamp", "event", "detail")


def convert_rows(rows: Iterable[Sequence[str]]) -> tuple[list[dict[str, str]], int]:
    """Return the rows with today's columns, and the number of damaged rows; the old text is kept in the detail."""
    found: list[dict[str, str]] = []
    running: dict[str, str] = {}  # the id of what started, by its type and process
    damaged = count = 0
    for first, second, *rest in (row if len(row) > 2 else ("", "", "") for row in rows):
        if not _is_time(first):
            damaged += 1
        elif _is_time(second):
            count += 1
            text = f"{rest[0]} | {','.join(rest[1:])}"
            borders = ((first, event.START), (second, event.END))
            found += [_row(at, what, f"l{count}", rest[0], text) for at, what in borders]
        else:
            text = ",".join(rest)
            kind, process = ([part.strip() for part in text.split("|")] + [""])[:2]
            name = running.pop(f"{kind} {process}", "") if second == event.END else ""
            if second == event.START:
                count += 1
                name = running[f"{kind} {process}"] = f"l{count}"
            found.append(_row(first, second, name, kind, text))
    return found, damaged


def _row(at: str, what: str, name: str, kind: str, text: str) -> dict[str, str]:
    target = requested_amount(text.rpartition("| ")[2])
    return {
        "timestamp": at,
        "event": what,
        "id": name,
        "type": KIND_OF_TYPE.get(kind, kind),
        "target": target,
        "detail": text,
    }


def _is_time(cell: str) -> bool:
    try:
        datetime.fromisoformat(cell)
    except ValueError:
        return False
    return True
