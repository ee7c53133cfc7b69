"""Rows of annotations.csv."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_twin._system.stdlib import json
from pytest_twin.model.clock import Clock
from pytest_twin.model.columns import ELAPSED, TIMESTAMP, Column
from pytest_twin.model.csv_text import record
from pytest_twin.stressors.constraint import TYPE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

START, END, ABORT, SKIP, NOTE = "start", "end", "abort", "skip", "note"
TEST, PHASE, GAP, CONSTRAINT = "test", "phase", "gap", TYPE
NO_END = "the run ended before this did"  # why what has a start and no end came short
LOADS = "loads"  # in the detail of a skip that stands for several: how many
HOST = "host"  # the column that tells whose a row is, in every table

COLUMNS = (
    TIMESTAMP,
    ELAPSED,
    Column("event", "", "`start`, `end`, `abort`, `skip` or `note`.", None),
    Column("id", "", "Identifier that pairs the start with the end.", None),
    Column(
        "type",
        "",
        "`test`, `phase`, `note`, `gap`, `constraint`, or the kind of a load (`cpu`, `memory`, `disk`, ...).",
        None,
    ),
    Column("test", "", "Node ID of the test that the event belongs to.", None),
    Column("worker", "", "The pytest-xdist worker; empty without pytest-xdist.", None),
    Column(HOST, "", "The host, in a run on several hosts; empty for the host of pytest itself.", None),
    Column("target", "", "The requested load or constraint, as written.", None),
    Column(
        "achieved",
        "",
        "The achieved load, in the unit of `target`; of a constraint, the CPUs and the memory that the tests used; "
        "CPUs only if it was held for a period of its quota, 100 ms or longer.",
        None,
    ),
    Column("detail", "", "Text, or one JSON object.", None),
)
FIELDS = tuple(column.name for column in COLUMNS)
ACHIEVED, ACHIEVED_TEXT = "achieved", "achieved_text"
AMOUNTS = (  # of a frame of events, in the place of its text `achieved`
    Column("asked", "", "Requested amount of a load or a constraint, in `unit`; missing where it is not a number."),
    Column(ACHIEVED, "", "Achieved amount in `unit`; of a constraint, what the tests used. Missing where unknown."),
    Column("unit", "", "Unit of both: `%`, `CPUs`, `MiB`, `MB/s` or `ops/s`; missing for a number of things.", None),
    Column(ACHIEVED_TEXT, "", "The achieved amount as it is written in annotations.csv.", None),
)


class Event(NamedTuple):
    """Something that started, ended, was aborted, was skipped, or was noted; `COLUMNS` describes its fields."""

    elapsed_s: float
    event: str
    id: str = ""
    type: str = NOTE
    test: str = ""
    worker: str = ""
    host: str = ""
    target: str = ""
    achieved: str = ""
    detail: str = ""

    def row(self, clock: Clock) -> str:
        """Return the event as a line of annotations.csv."""
        elapsed, *texts = self
        return record((clock.stamp(elapsed), f"{elapsed:.4f}", *texts))


def detail(text: str = "", fields: dict[str, Any] | None = None) -> str:
    """Return the cell `detail`: the text alone, or one JSON object if there are fields."""
    if not fields:
        return text
    return json.dumps({**({"text": text} if text else {}), **fields}, default=str, ensure_ascii=False)


def detail_fields(text: str) -> dict[str, Any]:
    """Return the cell `detail` as fields: its JSON object, or its text as the field ``text``."""
    if text.startswith("{"):
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if isinstance(found, dict):
            return found
    return {"text": text} if text else {}


def reduction(fields: Mapping[str, object]) -> str:
    """Return why a load was reduced, from the fields of its end; empty if it was not.

    In old files a constraint has a number there: the CPUs of a tighter one around it, which is no reason.
    """
    why = fields.get("reduced")
    return why if isinstance(why, str) else ""


def skipped_loads(text: str) -> int:
    """Return the number of loads that a skip stands for, from its cell `detail`."""
    try:
        count = json.loads(text)[LOADS]
    except (ValueError, TypeError, KeyError):  # it is text, or tells of one
        return 1
    return count if isinstance(count, int) and count > 0 else 1


def count_skipped(rows: Iterable[tuple[str, str]]) -> Counter[str]:
    """Return the number of skipped loads by type, from the cells `type` and `detail` of each skip."""
    found: Counter[str] = Counter()
    for kind, text in rows:
        found[kind] += skipped_loads(text)
    return found
