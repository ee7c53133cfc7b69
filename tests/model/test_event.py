"""Rows of annotations.csv."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_twin.model.clock import Clock
from pytest_twin.model.csv_text import header, records
from pytest_twin.model.event import FIELDS, NOTE, START, Event, detail, reduction, skipped_loads

CLOCK = Clock(began=0.0, epoch=1_760_149_800.0)
WORDS = st.text(st.characters(exclude_categories=["C", "Z"]), max_size=8).filter(lambda text: text[:1] not in "=+-@'")


def test_an_event_has_the_fields_of_the_file_after_the_time_stamp():
    assert ("timestamp", *Event._fields) == FIELDS


def test_an_event_is_one_line():
    event = Event(
        1.23456, START, "e1", "cpu", "t.py::test_x", "gw0", "ci-2", "cpu=75%", "74.9%", "two\nlines, and a comma"
    )
    assert event.row(CLOCK) == (
        '2025-10-11T02:30:01.235Z,1.2346,start,e1,cpu,t.py::test_x,gw0,ci-2,cpu=75%,74.9%,"two\\nlines, and a comma"\n'
    )


def test_an_event_is_a_note_where_nothing_else_is_said():
    assert Event(0.0, NOTE, detail="hello").row(CLOCK) == "2025-10-11T02:30:00.000Z,0.0000,note,,note,,,,,,hello\n"


def test_a_detail_without_fields_is_the_text_alone():
    assert (detail("half way"), detail("half way", {}), detail()) == ("half way", "half way", "")


def test_a_detail_with_fields_is_one_json_object():
    assert detail("half way", {"held_s": 1.5}) == '{"text": "half way", "held_s": 1.5}'
    assert detail(fields={"where": "Zürich"}) == '{"where": "Zürich"}'


def test_what_json_does_not_know_is_written_as_text_in_a_detail():
    assert json.loads(detail(fields={"error": OSError("full")})) == {"error": "full"}


@given(st.builds(Event, st.floats(0, 1e8), *[WORDS] * 9))
@settings(max_examples=60, deadline=None)
def test_an_event_is_read_back_as_it_was_written(event):
    (row,) = records(header(FIELDS) + event.row(CLOCK))
    assert tuple(row.values())[2:] == event[1:]
    assert float(row["elapsed_s"]) == round(event.elapsed_s, 4)


@pytest.mark.parametrize(
    ("text", "loads"),
    [
        (detail("", {"reason": "not reached", "loads": 99_500}), 99_500),
        (detail("not reached"), 1),
        ("", 1),
        ('{"reason": "not reached"}', 1),
        ('{"loads": "many"}', 1),
        ('{"loads": -3}', 1),
        ('{"loads": ', 1),
        ("[1]", 1),
    ],
)
def test_a_skip_is_of_one_load_unless_its_detail_says_of_how_many(text, loads):
    assert skipped_loads(text) == loads


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"reduced": "stopped at 512 MiB"}, "stopped at 512 MiB"),
        ({}, ""),
        ({"effective_cpus": 0.1}, ""),
        ({"reduced": 0.1}, ""),
    ],
)
def test_a_load_was_reduced_for_a_reason_and_a_number_of_an_old_file_is_none(fields, why):
    assert reduction(fields) == why
