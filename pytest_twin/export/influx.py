"""Export a run as line protocol, which InfluxDB, Telegraf, VictoriaMetrics and QuestDB read.

Measurements: `SAMPLE` has a point for each sample, `TEST` for each attempt of a test at its start, `LOAD` for each load
and each constraint at its start, `NOTE` for each note. Fields have the names of columns; a missing value has no field.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pytest_twin.export._sample_columns import nanoseconds, value_columns
from pytest_twin.model.event import HOST

if TYPE_CHECKING:
    import pandas as pd

    from pytest_twin.analysis.run.run_summary import RunSummary

FILE = "run.influx"
BEGINNING = "# pytest-twin, line protocol of InfluxDB\n"  # a comment, as the protocol has them
SAMPLE, TEST, LOAD, NOTE = "pytest_twin_sample", "pytest_twin_test", "pytest_twin_load", "pytest_twin_note"
TAGS_OF_TESTS = ("nodeid", "worker", HOST, "outcome")

_IN_NAMES = str.maketrans({",": "\\,", "=": "\\=", " ": "\\ ", "\n": "\\n"})
_IN_TEXTS = str.maketrans({'"': '\\"', "\\": "\\\\"})


def lines(summary: RunSummary) -> Iterator[str]:
    """Yield a line for each point."""
    yield BEGINNING
    for own in summary.by_host:
        tags = {HOST: own.host}
        yield from _rows(SAMPLE, own.run.samples, tags)
    yield from _rows(TEST, summary.run.tests, {}, TAGS_OF_TESTS)
    if summary.began is None:
        return
    began = summary.began.value
    for span in summary.spans:
        if span.is_load:
            tags = {"type": span.type, "state": span.state, "test": span.test, "worker": span.worker, HOST: span.host}
            figures = {"duration_s": span.end_s - span.start_s, "target": span.what, "achieved": span.achieved}
            yield _point(LOAD, tags, {**span.detail, **figures}, began + round(span.start_s * 1e9))
    for note in summary.notes:
        tags = {"test": note.test, "worker": note.worker, HOST: note.host}
        yield _point(NOTE, tags, {"text": note.what}, began + round(note.at_s * 1e9))


def _rows(name: str, frame: pd.DataFrame, tags: Mapping[str, str], tag_columns: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield a point for each row of a frame that has a value."""
    columns = value_columns(frame)
    for place, at in enumerate(nanoseconds(frame)):
        cells = {column.name: column.cells[place] for column in columns}
        own = {**tags, **{key: str(cells.pop(key)) for key in tag_columns if cells.get(key) is not None}}
        if line := _point(name, own, cells, at):
            yield line


def _point(name: str, tags: Mapping[str, str], fields: Mapping[str, Any], at: int) -> str:
    """Return a line; empty where there is no field with a value."""
    named = "".join(f",{_name(key)}={_name(value)}" for key, value in sorted(tags.items()) if value)
    written = [f"{_name(key)}={text}" for key, value in fields.items() if (text := _field(value))]
    return f"{name}{named} {','.join(written)} {at}\n" if written else ""


def _name(text: str) -> str:
    """Return a key or the value of a tag; the protocol has no way to write a backslash before what separates them."""
    return text.replace("\\", "/").translate(_IN_NAMES)


def _field(value: Any) -> str:
    """Return the value of a field; all numbers are floats, as one field must have one type in all runs."""
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(float(value)) if abs(value) < float("inf") else ""
    return f'"{str(value).translate(_IN_TEXTS)}"'
