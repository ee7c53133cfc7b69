"""The fields of a schedule: how each is parsed, and its part of the published JSON Schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_twin.loads.constraint import KEYWORDS as CONSTRAINT_KEYWORDS
from pytest_twin.loads.modifiers import MODIFIERS
from pytest_twin.loads.schedule import SESSION, TEST
from pytest_twin.loads.schedule.schedule import MOST_EVENTS, PARALLEL, SERIES
from pytest_twin.loads.schedule.window import parse_moment
from pytest_twin.loads.spec import Kinds
from pytest_twin.loads.stress_ng import ENGINE, INSTANCES
from pytest_twin.model.demand_change import parse_changes
from pytest_twin.model.error_text import shown
from pytest_twin.model.quantity import parse_duration
from pytest_twin.stressors.constraint.enforcer import KIND as CONSTRAINT
from pytest_twin.stressors.kinds._stress_ng_program import NAME as STRESS_NG

LONGEST_TEXT = 1000
WINDOW_FIELDS = ("from", "to", "busiest")
REPLAY_FIELDS = (*WINDOW_FIELDS, "speed", "scale")  # which apply only to a replay


@dataclass(frozen=True)
class ScheduleField:
    """One key of the format.

    Attributes:
        parse: Returns the value, or raises `ValueError`.
        schema: The JSON Schema of the value.
    """

    parse: Callable[[Any], Any]
    schema: Mapping[str, Any]


def _one_of(*words: object) -> ScheduleField:
    def parse_word(raw: object) -> object:
        if raw not in words or isinstance(raw, bool):
            raise ValueError(f"{shown(raw)} is not one of {', '.join(map(repr, words))}")
        return raw

    return ScheduleField(parse_word, {"enum": list(words)})


def _text(what: str) -> ScheduleField:
    def parse_text(raw: object) -> str:
        if not isinstance(raw, str) or not raw or "\0" in raw:
            raise ValueError(f"{shown(raw)} is not {what}")
        if len(raw) > LONGEST_TEXT:
            raise ValueError(f"{shown(raw)} has more than {LONGEST_TEXT} characters")
        return raw

    return ScheduleField(parse_text, {"type": "string", "minLength": 1, "maxLength": LONGEST_TEXT})


def _speed(raw: object) -> float:
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not 0 < raw < 1e9:
        raise ValueError(f"{shown(raw)} is not a number above 0")
    return float(raw)


def _whole_number(raw: object, least: int, most: int) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int) or not least <= raw <= most:
        raise ValueError(f"{shown(raw)} is not a whole number from {least} to {most}")
    return raw


def _repeat(raw: object) -> dict[str, Any]:
    if not isinstance(raw, dict) or raw.keys() != {"every", "count"}:
        raise ValueError('must be an object such as {"every": "30s", "count": 3}')
    return {"every": parse_duration(raw["every"]), "count": _whole_number(raw["count"], 1, MOST_EVENTS)}


_MOMENT = ScheduleField(parse_moment, {"type": ["string", "number"], "description": "a time (UTC), or an offset"})
_DURATION = ScheduleField(parse_duration, MODIFIERS["ramp"].schema)
_SEED = ScheduleField(lambda raw: _whole_number(raw, 0, 2**63 - 1), {"type": "integer", "minimum": 0})
_REPEAT = {
    "type": "object",
    "properties": {"every": _DURATION.schema, "count": {"type": "integer", "minimum": 1}},
    "required": ["every", "count"],
    "additionalProperties": False,
}
_SCALE = {"type": "string", "minLength": 1, "description": "changes of the demand such as cpu*1.5 mem+4GiB disk*2"}
SCHEDULE_FIELDS = {
    "$schema": _text("the address of a schema"),
    "version": _one_of(1),
    "anchor": _one_of(SESSION, TEST),
    "mode": _one_of(PARALLEL, SERIES),
    "seed": _SEED,
    "events": ScheduleField(list, {"type": "array"}),
}
EVENT_FIELDS = {
    "id": _text("a name"),
    "start": _DURATION,
    "duration": _DURATION,
    "after": _text("the id of an event"),
    "tests": _text("a pattern of test ids"),
    "note": _text("a note"),
    "repeat": ScheduleField(_repeat, _REPEAT),
    "replay": _text("the path of a recording"),
    "from": _MOMENT,
    "to": _MOMENT,
    "busiest": _DURATION,
    "speed": ScheduleField(_speed, {"type": "number", "exclusiveMinimum": 0}),
    "scale": ScheduleField(parse_changes, _SCALE),
}

_AMOUNT = {"type": ["string", "number"]}
_CONSTRAINT = {
    "description": f"less machine for the tests: {CONSTRAINT.amounts}",
    "anyOf": [
        {"type": "object", "properties": dict.fromkeys(CONSTRAINT_KEYWORDS, _AMOUNT), "minProperties": 1,
         "additionalProperties": False},
        {"type": "string", "minLength": 1},
    ],
}  # fmt: skip


def json_schema(kinds: Kinds) -> dict[str, Any]:
    """Return the JSON Schema of the format, made of the same fields that parse it."""
    amounts = {name: {"type": ["string", "number"], "description": kind.amounts} for name, kind in kinds.items()}
    modifiers = {name: {**modifier.schema, "description": modifier.help} for name, modifier in MODIFIERS.items()}
    own = {key: dict(entry.schema) for key, entry in EVENT_FIELDS.items()}
    event = {
        "type": "object",
        "properties": {**own, **amounts, CONSTRAINT.keyword: _CONSTRAINT, **modifiers},
        "additionalProperties": False,
    }
    other = {
        "type": "object",
        "properties": {**own, ENGINE: {"enum": [STRESS_NG], "description": "the other keys are its stressors"}},
        "required": [ENGINE],
        "additionalProperties": dict(INSTANCES),
    }
    top = {key: dict(entry.schema) for key, entry in SCHEDULE_FIELDS.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "pytest-twin schedule",
        "type": "object",
        "properties": {**top, "events": {"type": "array", "items": {"anyOf": [event, other]}, "maxItems": MOST_EVENTS}},
        "required": ["events"],
        "additionalProperties": False,
    }
