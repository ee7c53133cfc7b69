"""The JSON Schema of the schedule: it takes what the reader takes."""

import json
from copy import copy
from numbers import Real

import pytest
from any_values import VALUES
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_twin.loads.modifiers import MODIFIERS
from pytest_twin.loads.schedule.parser import parse_schedule
from pytest_twin.loads.schedule.schedule import MOST_EVENTS, ScheduleError
from pytest_twin.loads.schedule.schema import REPLAY_FIELDS, json_schema
from pytest_twin.model.machine_formats.parser import parse_text
from pytest_twin.stressors import find_kinds
from pytest_twin.stressors.constraint import KEYWORD

KINDS = find_kinds()
SCHEMA = json_schema(KINDS)
EVENT = SCHEMA["properties"]["events"]["items"]["anyOf"][0]
TYPES = {"string": str, "number": Real, "integer": int, "boolean": bool, "object": dict, "array": list}
CHECKS = {
    "type": lambda value, names: any(
        isinstance(value, TYPES[name]) and (name == "boolean" or not isinstance(value, bool))
        for name in ([names] if isinstance(names, str) else names)
    ),
    "enum": lambda value, words: value in words,
    "minimum": lambda value, least: value >= least,
    "maximum": lambda value, most: value <= most,
    "exclusiveMinimum": lambda value, below: value > below,
    "minLength": lambda value, least: len(value) >= least,
    "maxLength": lambda value, most: len(value) <= most,
    "maxItems": lambda value, most: len(value) <= most,
    "minProperties": lambda value, least: len(value) >= least,
    "required": lambda value, keys: value.keys() >= set(keys),
    "items": lambda value, each: all(fits(one, each) for one in value),
    "anyOf": lambda value, forms: any(fits(value, form) for form in forms),
    "properties": lambda value, known: all(fits(one, known[key]) for key, one in value.items() if key in known),
}
EVENTS = st.lists(
    st.dictionaries(st.sampled_from(sorted(EVENT["properties"])), VALUES, max_size=3).map(
        lambda event: {"duration": 1, "cpu": 1, **event}
    ),
    max_size=2,
)
TOPS = st.dictionaries(
    st.sampled_from(["version", "anchor", "mode", "seed"]), VALUES | st.sampled_from([1, "test"]), max_size=2
)
NOTES = {"$schema", "title", "description"}


def fits(value, schema):
    """Whether a JSON value fits the part of JSON Schema that is used here."""
    if not all(
        CHECKS[word](value, said) for word, said in schema.items() if word not in {*NOTES, "additionalProperties"}
    ):
        return False
    further = schema.get("additionalProperties", {})
    strangers = [one for key, one in value.items() if key not in schema["properties"]] if further != {} else []
    return not strangers if further is False else all(fits(one, further) for one in strangers)


def words(schema):
    """Every word of JSON Schema in it, properties' names not among them."""
    inner = [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]
    inner += schema.get("anyOf", [])
    return set(schema).union(*map(words, inner))


def test_the_schema_is_plain_json():
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


def test_the_schema_uses_only_words_that_these_tests_check():
    assert words(SCHEMA) <= {*CHECKS, *NOTES, "additionalProperties"}


def test_the_schema_says_which_json_schema_it_is():
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert SCHEMA["title"] == "pytest-twin schedule"


def test_the_schema_knows_every_key_of_a_schedule():
    assert set(SCHEMA["properties"]) == {"$schema", "version", "anchor", "mode", "seed", "events"}
    assert SCHEMA["required"] == ["events"]


def test_the_schema_knows_every_key_of_an_event():
    own = {"id", "start", "duration", "after", "tests", "note", "repeat", *REPLAY_FIELDS, "replay"}
    assert {"from", "to", "busiest", "speed", "scale"} == set(REPLAY_FIELDS)
    assert set(EVENT["properties"]) == {*own, *KINDS, KEYWORD, *MODIFIERS}


def test_the_schema_describes_every_kind_and_every_modifier():
    assert {name: EVENT["properties"][name]["description"] for name in KINDS} == {
        name: kind.amounts for name, kind in KINDS.items()
    }
    assert all(EVENT["properties"][name]["description"] == modifier.help for name, modifier in MODIFIERS.items())


def test_a_new_kind_is_in_the_schema_at_once():
    gpu = copy(KINDS["cpu"])
    gpu.keyword, gpu.amounts = "gpu", "a share"
    event = json_schema({**KINDS, "gpu": gpu})["properties"]["events"]["items"]["anyOf"][0]
    assert event["properties"]["gpu"]["description"] == "a share"


@pytest.mark.parametrize(
    "document",
    [
        {"events": []},
        {"version": 1, "anchor": "test", "mode": "series", "seed": 7, "events": []},
        {"events": [{"id": "a", "start": "2s", "duration": 30, "cpu": "50%", "ramp": "5s", "steps": 3}]},
        {
            "events": [
                {"after": "a", "duration": "10s", "disk": "20MB/s", "block": "1MiB", "loop": True, "directory": "x"}
            ]
        },
        {
            "events": [
                {"duration": 1, "mem": 512, "repeat": {"every": "30s", "count": 3}, "tests": "tests/*", "note": "n"}
            ]
        },
        {"events": [{"replay": "prod.csv", "speed": 10}]},
        {"events": [{"replay": "prod.csv", "scale": "cpu*1.5 mem+10%"}]},
        {"events": [{"replay": "prod.csv", "from": "0s", "to": 3}, {"replay": "prod.csv", "busiest": "2s"}]},
        {"events": [{"duration": 5, "constrain": {"cpu": 0.25, "mem": "1GiB"}}]},
        {"events": [{"duration": 5, "cpu": 8, "constrain": "cpu=0.25 period=5ms"}]},
        {"events": [{"engine": "stress-ng", "matrix": 2, "duration": "5s"}]},
    ],
)
def test_a_schedule_fits_the_schema(document):
    assert fits(document, SCHEMA)


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        {"events": [], "version": 2},
        {"events": [], "evnts": []},
        {"events": [], "$schema": 5},
        {"events": [5]},
        {"events": [{"cpu": []}]},
        {"events": [{"gpu": 1}]},
        {"events": [{"constrain": {}}]},
        {"events": [{"constrain": {"cores": 2}}]},
        {"events": [{"engine": "other", "gpu": 1}]},
        {"events": [{"engine": "stress-ng", "matrix": "2"}]},
        {"events": [{"engine": "stress-ng", "matrix": 0}]},
        {"events": [{"id": ""}]},
        {"events": [{"speed": 0}]},
        {"events": [{"steps": 1.5}]},
        {"events": [{"repeat": {"every": 1}}]},
        {"events": [{"repeat": {"every": 1, "count": 0}}]},
        {"events": [{}] * (MOST_EVENTS + 1)},
    ],
)
def test_what_no_reader_takes_does_not_fit_the_schema(document):
    assert not fits(document, SCHEMA)


@given(EVENTS, TOPS)
@settings(max_examples=200, deadline=None)
def test_what_the_reader_takes_fits_the_schema(events, top):
    document = json.loads(json.dumps({**top, "events": events}))
    try:
        parse_schedule(json.dumps(document), "s.json", KINDS, parse_text)
    except ScheduleError:
        return
    assert fits(document, SCHEMA)
