"""A comparison as a JSON document for programs, and its JSON Schema, both from the same declarations."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_twin.report.comparison.wording import limit_verdicts
from pytest_twin.report.json_fields import BOOLEAN, NUMBER, TEXT, WHOLE, DocumentField, fields_schema, values_of

if TYPE_CHECKING:
    from pytest_twin.analysis.comparison.comparison import Comparison

TEXTS = {"items": {"type": TEXT}}
DIGITS = 6

LIMIT: Mapping[str, DocumentField] = {
    "limit": DocumentField(TEXT, "The limit, as written.", lambda limit: limit.limit),
    "is_kept": DocumentField(
        BOOLEAN, "Whether no figure is over it; null where none could be judged.", lambda limit: limit.is_kept,
        can_miss=True,
    ),
}  # fmt: skip
DIFFERENCE: Mapping[str, DocumentField] = {
    "nodeid": DocumentField(TEXT, "Node ID of the test; empty for all tests together.", lambda each: each.test),
    "measure": DocumentField(TEXT, "The measure, as in `--twin-fail-on`.", lambda each: each.measure.name),
    "unit": DocumentField(TEXT, "Unit of both figures.", lambda each: each.measure.unit),
    "before": DocumentField(
        NUMBER, "Median of the runs before; null if it is too large for a number.",
        lambda each: _finite(each.before), can_miss=True,
    ),
    "after": DocumentField(NUMBER, "The same of the runs after.", lambda each: _finite(each.after), can_miss=True),
    "ratio": DocumentField(
        NUMBER, "After to before; null if only the figure before is 0.", lambda each: _finite(each.ratio), can_miss=True
    ),
    "adjusted": DocumentField(
        NUMBER, "The ratio without the common factor of all tests, which is judged.",
        lambda each: _finite(each.adjusted), can_miss=True,
    ),
    "low": DocumentField(
        NUMBER, "Lower border of the 95 % interval of `adjusted`; null with too few runs.",
        lambda each: _finite(each.low), can_miss=True,
    ),
    "high": DocumentField(NUMBER, "Its upper border.", lambda each: _finite(each.high), can_miss=True),
    "verdict": DocumentField(TEXT, "The verdict, as in the report.", lambda each: each.verdict),
    "broken": DocumentField(
        "array", "The limits that it breaks.", lambda each: list(map(str, each.broken)), more=TEXTS
    ),
}  # fmt: skip
COMPARISON: Mapping[str, DocumentField] = {
    "before": DocumentField(TEXT, "Name of the runs before.", lambda compared: compared.names[0]),
    "after": DocumentField(TEXT, "Name of the runs after.", lambda compared: compared.names[1]),
    "runs_before": DocumentField(WHOLE, "Number of runs before.", lambda compared: compared.runs[0]),
    "runs_after": DocumentField(WHOLE, "Number of runs after.", lambda compared: compared.runs[1]),
    "machines": DocumentField(
        "array", "Differences between the machines.", lambda compared: list(compared.machines), more=TEXTS
    ),
    "notes": DocumentField("array", "Remarks on the verdicts.", lambda compared: list(compared.notes), more=TEXTS),
    "added": DocumentField(
        "array", "Tests that exist only after.", lambda compared: list(compared.changes.added), more=TEXTS
    ),
    "removed": DocumentField(
        "array", "Tests that exist only before.", lambda compared: list(compared.changes.removed), more=TEXTS
    ),
    "limits": DocumentField(
        "array", "The limits that were applied.",
        lambda compared: [values_of(LIMIT, each) for each in limit_verdicts(compared)],
        more={"items": fields_schema(LIMIT)},
    ),
    "differences": DocumentField(
        "array", "Each measure of all tests together, and of each test that ran on both sides.",
        lambda compared: [values_of(DIFFERENCE, each) for each in compared.differences],
        more={"items": fields_schema(DIFFERENCE)},
    ),
}  # fmt: skip


def document(comparison: Comparison) -> dict[str, Any]:
    """Return the document of a comparison."""
    return values_of(COMPARISON, comparison)


def text(comparison: Comparison) -> str:
    """Return the document of a comparison as text."""
    return json.dumps(document(comparison), ensure_ascii=False, allow_nan=False, indent=1)


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the document."""
    return fields_schema(COMPARISON)


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, DIGITS)
