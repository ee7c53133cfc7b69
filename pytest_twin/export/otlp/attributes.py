"""Names of attributes, by the semantic conventions of OpenTelemetry where they have one.

The names stand here as text, since those of tests and of CI are in a part of the conventions that may still change: the
names of this version and `SCHEMA_URL` belong together.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pytest_twin.export.otlp.span import Value
from pytest_twin.model import attempt_row
from pytest_twin.model.attempt_row import BAD, CRASHED, INTERRUPTED, UNFINISHED

SCHEMA_URL = "https://opentelemetry.io/schemas/1.43.0"
PREFIX = "pytest_twin."  # of our own names

CASE_NAME, CASE_STATUS, SUITE_NAME, SUITE_STATUS = (
    "test.case.name", "test.case.result.status", "test.suite.name", "test.suite.run.status"
)  # fmt: skip
PASS, FAIL = "pass", "fail"
CASE_STATUSES = {"passed": PASS, "failed": FAIL, "error": FAIL, CRASHED: FAIL}  # the other outcomes have none
SUCCESS, FAILURE, ABORTED = "success", "failure", "aborted"
ABORTS = (CRASHED, INTERRUPTED, UNFINISHED)


def _text(cell: str) -> str:
    return cell


_READERS: Mapping[str, tuple[str, Callable[[str], Value]]] = {
    column.name: (PREFIX + column.name, _text if column.digits is None else int if column.digits == 0 else float)
    for column in attempt_row.COLUMNS
}


def of_test_row(row: Mapping[str, str]) -> dict[str, Value]:
    """Return all cells of a row of tests.csv; an empty cell has no attribute."""
    found: dict[str, Value] = {}
    for name, cell in row.items():
        if cell:
            key, read = _READERS.get(name) or (PREFIX + name, _text)
            try:
                found[key] = read(cell)
            except ValueError:  # the row is damaged
                found[key] = cell
    return found


def split_parameters(nodeid: str) -> tuple[str, str]:
    """Return the node ID of a test without its parameters, and the parameters."""
    begin = nodeid.find("[", nodeid.find("::") + 1)
    if begin < 0 or not nodeid.endswith("]"):
        return nodeid, ""
    return nodeid[:begin], nodeid[begin + 1 : -1]


def of_case(nodeid: str, outcome: str) -> tuple[str, dict[str, Value]]:
    """Return the name of the span of a test, and its attributes by the semantic conventions."""
    name, parameters = split_parameters(nodeid)
    found: dict[str, Value] = {CASE_NAME: nodeid, SUITE_NAME: name.rpartition("::")[0] or name}
    if outcome in CASE_STATUSES:
        found[CASE_STATUS] = CASE_STATUSES[outcome]
    if parameters:
        found[PREFIX + "parameters"] = parameters
    return name, found


def suite_status(outcomes: Iterable[str]) -> str:
    """Return the status of a session from the outcomes of its tests."""
    found = {*outcomes}
    return ABORTED if found.intersection(ABORTS) else FAILURE if found.intersection(BAD) else SUCCESS


def of_fields(fields: Mapping[str, Any], prefix: str) -> dict[str, Value]:
    """Return the fields of a cell ``detail`` as attributes; what is no single value is written as JSON."""
    return {
        f"{prefix}{name}": value if isinstance(value, str | bool | int | float) else json.dumps(value)
        for name, value in fields.items()
        if value is not None and value != ""
    }
