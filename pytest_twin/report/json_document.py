"""A run as one JSON document for programs, and its JSON Schema, both from the same declarations."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_twin.analysis.run.totals import number_of_tests
from pytest_twin.model import attempt_row, profile_row
from pytest_twin.model.columns import Column
from pytest_twin.model.csv_text import parse_number
from pytest_twin.model.version import __version__
from pytest_twin.report.comparison.json_document import document as comparison_document
from pytest_twin.report.comparison.json_document import schema as comparison_schema
from pytest_twin.report.explanations import MOST as MOST_EXPLAINED
from pytest_twin.report.json_fields import NUMBER, TEXT, WHOLE, DocumentField, fields_schema, object_schema, values_of

if TYPE_CHECKING:
    import pandas as pd

    from pytest_twin.analysis.run.attempts import AttemptSummary
    from pytest_twin.analysis.run.run_summary import RunSummary

VERSION = 1
LATER = {"failures", "comparison"}  # keys that documents of older versions lack
MOST_RUNNING = 5  # tests that are named beside a peak

RUN = {
    "began": DocumentField(
        TEXT, "Start of the run: ISO 8601, UTC.", lambda summary: _stamp(summary.began), can_miss=True
    ),
    "duration_s": DocumentField(
        NUMBER, "Time from the start to the last recorded row.", lambda summary: round(summary.duration_s, 4)
    ),
    "samples": DocumentField(
        WHOLE, "Number of rows of system_metrics_dataset.csv, of all hosts.", lambda summary: len(summary.times)
    ),
    "interval_s": DocumentField(
        NUMBER, "Median time between two samples.", lambda summary: _rounded(summary.interval_s), can_miss=True
    ),
}
TOTALS = {
    "tests": DocumentField(WHOLE, "Number of tests.", lambda summary: number_of_tests(summary.attempts)),
    "attempts": DocumentField(WHOLE, "Number of attempts of tests.", lambda summary: len(summary.attempts)),
    "outcomes": DocumentField(
        "object",
        "Number of tests by outcome, as pytest counts them; `unfinished` are tests that a killed run did not end.",
        lambda summary: summary.outcomes,
        more={"additionalProperties": {"type": WHOLE}},
    ),
    "cpu_s": DocumentField(
        NUMBER, "CPU seconds of all attempts, including child processes.", lambda summary: _total(summary, "cpu_s"),
        can_miss=True,
    ),
    "peak_memory_MB": DocumentField(
        NUMBER, "Peak resident memory of a test process, in MiB.", lambda summary: _most(summary, "peak_memory_MB"),
        can_miss=True,
    ),
    "memory_growth_MB": DocumentField(
        NUMBER, "Largest growth of the resident memory of a process by one test, in MiB.",
        lambda summary: _most(summary, "memory_growth_MB"), can_miss=True,
    ),
    "memory_kept": DocumentField(
        "object", "Tests that left memory behind in their process, with the amount in MiB, in descending order.",
        lambda summary: dict(summary.leaks), more={"additionalProperties": {"type": NUMBER}},
    ),
    "loads": DocumentField(
        WHOLE, "Number of applied loads.", lambda summary: sum(line.times for line in summary.loads)
    ),
    "loads_not_reached": DocumentField(
        WHOLE, "Number of planned loads that the run did not reach.", lambda summary: sum(summary.skipped.values())
    ),
}  # fmt: skip
LOAD: Mapping[str, DocumentField] = {
    "host": DocumentField(TEXT, "The host; empty for the host of pytest itself.", lambda line: line.host),
    "type": DocumentField(TEXT, "The kind of load.", lambda line: line.type),
    "asked": DocumentField(TEXT, "The requested load, as written.", lambda line: line.target),
    "achieved": DocumentField(
        "array",
        "The achieved loads, each distinct value once.",
        lambda line: list(line.achieved),
        more={"items": {"type": TEXT}},
    ),
    "times": DocumentField(WHOLE, "Number of times it was applied.", lambda line: line.times),
    "held_s": DocumentField(
        NUMBER, "Total time for which it was applied, in seconds.", lambda line: round(line.held_s, 4)
    ),
    "troubles": DocumentField(
        "array",
        "Reasons why loads were aborted or reduced.",
        lambda line: list(line.troubles),
        more={"items": {"type": TEXT}},
    ),
}
PEAK: Mapping[str, DocumentField] = {
    "host": DocumentField(TEXT, "The host; empty for the host of pytest itself.", lambda peak: peak.host),
    "column": DocumentField(TEXT, "A column of system_metrics_dataset.csv.", lambda peak: peak.column),
    "unit": DocumentField(TEXT, "Unit of the value.", lambda peak: peak.unit),
    "value": DocumentField(NUMBER, "Highest value of the column.", lambda peak: peak.value),
    "elapsed_s": DocumentField(
        NUMBER,
        "Time of the value: monotonic time since the start of the run, in seconds.",
        lambda peak: _rounded(peak.elapsed_s),
        can_miss=True,
    ),
    "tests": DocumentField(
        "array",
        f"Tests that ran at this time on this host; at most {MOST_RUNNING}.",
        lambda peak: list(peak.tests[:MOST_RUNNING]),
        more={"items": {"type": TEXT}},
    ),
}
FAILURE = {
    "host": DocumentField(TEXT, "The host; empty for the host of pytest itself.", lambda failed: failed.attempt.host),
    "nodeid": DocumentField(TEXT, "Node ID of the test.", lambda failed: failed.attempt.nodeid),
    "worker": DocumentField(TEXT, "The pytest-xdist worker; empty without.", lambda failed: failed.attempt.worker),
    "attempt": DocumentField(WHOLE, "Number of the attempt, from 1.", lambda failed: failed.attempt.number),
    "outcome": DocumentField(TEXT, "Outcome, as in tests.csv.", lambda failed: failed.attempt.outcome),
    "errors": DocumentField(
        "array",
        "First line of the error of each phase that failed, as in failures.jsonl.",
        lambda failed: failed.errors,
        more={"items": {"type": TEXT}},
    ),
    "explanation": DocumentField(
        TEXT,
        f"What stood out while it ran, in a sentence; null beyond the first {MOST_EXPLAINED} attempts.",
        lambda failed: failed.explanation,
        can_miss=True,
    ),
}


class FailedAttempt(NamedTuple):
    """What `FAILURE` reads.

    Attributes:
        attempt: The attempt.
        errors: The first line of the error of each phase that failed.
        explanation: What stood out while it ran; None if that is not known.
    """

    attempt: AttemptSummary
    errors: list[str]
    explanation: str | None


def text(summary: RunSummary) -> str:
    """Return the document of a run as text."""
    return json.dumps(document(summary), ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def document(summary: RunSummary) -> dict[str, Any]:
    """Return the document of a run."""
    return {
        "version": VERSION,
        "pytest_twin": __version__,
        "run": values_of(RUN, summary),
        "totals": values_of(TOTALS, summary),
        "tests": _tests(summary.run.tests),
        "failures": [values_of(FAILURE, each) for each in _failed(summary)],
        "unfinished": [each.nodeid for each in summary.attempts if each.outcome == "unfinished"],
        "loads": [values_of(LOAD, line) for line in summary.loads],
        "comparison": None if summary.comparison is None else comparison_document(summary.comparison),
        "profile": [_profile_row(row) for row in summary.profile],
        "peaks": [values_of(PEAK, peak) for peak in summary.peaks],
        "missing": list(summary.shortcomings),
        "fingerprint": summary.run.fingerprint,
        "hosts": summary.run.hosts,
        "schedule": summary.run.schedule,
    }


def schema() -> dict[str, Any]:
    """Return the JSON Schema of the document."""
    tests = {column.name: _column(column) for column in attempt_row.COLUMNS}
    profile = {column.name: _column(column) for column in profile_row.COLUMNS}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "pytest-twin run",
        **object_schema(
            {
                "version": {"const": VERSION},
                "pytest_twin": {"type": TEXT, "description": "Version of pytest-twin that wrote the document."},
                "run": fields_schema(RUN),
                "totals": fields_schema(TOTALS),
                "tests": {"type": "array", "items": object_schema(tests), "description": "The rows of tests.csv."},
                "failures": {"type": "array", "items": fields_schema(FAILURE)},
                "unfinished": {
                    "type": "array",
                    "items": {"type": TEXT},
                    "description": "Tests that started and did not end.",
                },
                "loads": {"type": "array", "items": fields_schema(LOAD)},
                "comparison": {**comparison_schema(), "type": ["object", "null"]},
                "profile": {
                    "type": "array",
                    "items": object_schema(profile),
                    "description": "The rows of profile.csv.",
                },
                "peaks": {"type": "array", "items": fields_schema(PEAK)},
                "missing": {
                    "type": "array",
                    "items": {"type": TEXT},
                    "description": "Missing or damaged parts of the run.",
                },
                "fingerprint": {"type": ["object", "null"], "description": "fingerprint.json."},
                "hosts": {"type": "object", "description": "hosts.json: the other hosts, by name."},
                "schedule": {"type": ["object", "null"], "description": "schedule.json."},
            },
            optional=LATER,
        ),
    }


def _column(column: Column) -> dict[str, Any]:
    kind = TEXT if column.digits is None else WHOLE if column.digits == 0 else NUMBER
    unit = f" In {column.unit}." if column.unit else ""
    return {"type": [kind, "null"], "description": column.meaning + unit}


def _failed(summary: RunSummary) -> Iterator[FailedAttempt]:
    for attempt in summary.failed:
        errors = [failure.message for failure in summary.failures.get(attempt.key, ())]
        yield FailedAttempt(attempt, errors, summary.explanations.get(attempt.key))


def _tests(tests: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of tests.csv with all declared columns; missing cells are null."""
    columns = {
        column.name: [None] * len(tests) if column.name not in tests else _plain(tests[column.name])
        for column in attempt_row.COLUMNS
        if column.name != "start"
    }
    columns["start"] = [_stamp(at) for at in tests.index]
    names = [column.name for column in attempt_row.COLUMNS]
    return [dict(zip(names, cells, strict=True)) for cells in zip(*(columns[name] for name in names), strict=True)]


def _profile_row(row: Mapping[str, str]) -> dict[str, Any]:
    """Return a row of profile.csv; missing cells, and those that are not what their column says, are null."""
    return {
        column.name: (row.get(column.name) or None)
        if column.digits is None
        else _number(row.get(column.name), is_whole=column.digits == 0)
        for column in profile_row.COLUMNS
    }


def _number(cell: str | None, *, is_whole: bool) -> float | None:
    value = parse_number(cell)
    return int(value) if is_whole and value is not None else value


def _plain(cells: pd.Series[Any]) -> list[Any]:
    found: list[Any] = cells.astype(object).where(cells.notna(), None).tolist()
    return [None if isinstance(cell, float) and not math.isfinite(cell) else cell for cell in found]


def _stamp(at: pd.Timestamp | None) -> str | None:
    return None if at is None else at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _known(summary: RunSummary, name: str) -> list[float]:
    found: Iterable[float | None] = (getattr(each, name) for each in summary.attempts)
    return [value for value in found if value is not None]


def _total(summary: RunSummary, name: str) -> float | None:
    known = _known(summary, name)
    return round(sum(known), 6) if known else None


def _most(summary: RunSummary, name: str) -> float | None:
    return max(_known(summary, name), default=None)
