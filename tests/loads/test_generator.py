"""Schedules drawn at random."""

import json
from collections import Counter
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_twin.loads.schedule.generator import INTENSITIES, GeneratorOptions, generate
from pytest_twin.loads.schedule.parser import parse_schedule
from pytest_twin.model.machine_formats.parser import parse_text
from pytest_twin.model.quantity import parse_duration
from pytest_twin.stressors import find_kinds

KINDS = find_kinds()
HOUR = GeneratorOptions(length=3600, events=20, seed=7, shortest=60, longest=1200)


def drawn(wishes):
    document = generate(wishes, KINDS)
    assert len(document["events"]) == wishes.events
    return parse_schedule(json.dumps(document), "drawn.json", KINDS, parse_text)


def error(**wishes):
    with pytest.raises(ValueError, match=r".") as caught:
        generate(replace(HOUR, **wishes), KINDS)
    return str(caught.value)


def kinds_of(**wishes):
    return Counter(part.kind.keyword for event in drawn(replace(HOUR, **wishes)).events for part in event.load.parts)


def test_the_same_seed_draws_the_same():
    assert generate(HOUR, KINDS) == generate(HOUR, KINDS)


def test_another_seed_draws_another_schedule():
    assert generate(HOUR, KINDS)["events"] != generate(replace(HOUR, seed=8), KINDS)["events"]


def test_a_schedule_is_the_one_that_was_drawn_before():
    assert generate(GeneratorOptions(length=60, events=2, seed=1, shortest=5, longest=20), KINDS) == {
        "version": 1,
        "anchor": "session",
        "mode": "parallel",
        "seed": 1,
        "events": [
            {"start": "11.2s", "duration": "6s", "disk": "50MB/s"},
            {"start": "41.2s", "duration": "16.2s", "disk": "50MB/s"},
        ],
    }


def test_a_drawn_schedule_remembers_its_seed():
    assert drawn(HOUR).seed == 7


def test_every_kind_is_drawn():
    assert set(kinds_of(events=100)) == {"cpu", "mem", "disk"}


def test_a_kind_of_no_weight_is_never_drawn():
    assert set(kinds_of(events=100, weights={"cpu": 0})) == {"mem", "disk"}


def test_a_kind_of_more_weight_is_drawn_more_often():
    counts = kinds_of(events=1000, weights={"cpu": 8})
    assert counts["cpu"] > 3 * (counts["mem"] + counts["disk"])


def test_amounts_are_drawn_from_those_that_are_given():
    events = generate(replace(HOUR, intensities={"cpu": ["1", "2"]}), KINDS)["events"]
    assert {event["cpu"] for event in events if "cpu" in event} == {"1", "2"}
    assert {event["mem"] for event in events if "mem" in event} <= set(INTENSITIES["mem"])


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"shortest": 9, "longest": 5}, "--shortest is longer than --longest"),
        ({"weights": {"cpu": -1}}, "--weight: give numbers from 0 up, not all of them 0"),
        ({"weights": {"cpu": float("nan")}}, "--weight: give numbers from 0 up, not all of them 0"),
        ({"weights": {"cpu": float("inf")}}, "--weight: give numbers from 0 up, not all of them 0"),
        ({"weights": {"cpu": 0, "mem": 0, "disk": 0}}, "--weight: give numbers from 0 up, not all of them 0"),
        ({"weights": {"cpuu": 1}}, 'unknown kind "cpuu"; did you mean "cpu"?'),
        (
            {"intensities": {"xyz": ["1"]}},
            'unknown kind "xyz"; known are cpu, cpu_total, disk, fds, iops, mem, membw, net, threads',
        ),
        ({"intensities": {"cpu": ["150%"]}}, '--intensity cpu: "150%" is over 100%; give 0-100%'),
        (
            {"intensities": {"disk": ["5%"]}},
            f"--intensity disk: '5%' has no suitable unit; give {KINDS['disk'].amounts}",
        ),
        (
            {"intensities": {"mem": ["much"]}},
            f"--intensity mem: 'much' is not an amount; give {KINDS['mem'].amounts}",
        ),
    ],
)
def test_a_wish_that_cannot_be_fulfilled_says_which(wishes, message):
    assert error(**wishes) == message


def test_a_kind_without_any_amount_to_draw_from_is_refused():
    assert error(intensities={"cpu": []}).startswith("--intensity cpu: ")


@pytest.mark.parametrize("wishes", [{"events": 0}, {"shortest": 0, "longest": 0}, {"shortest": 0.01, "longest": 0.04}])
def test_without_overlap_nothing_long_enough_is_a_schedule_or_a_value_error(wishes):
    with suppress(ValueError):
        drawn(replace(HOUR, overlap=False, **wishes))


def test_more_events_than_fit_without_overlap_are_refused():
    assert error(length=10, events=1000, shortest=1, longest=5, overlap=False)


def test_digits_of_another_script_are_no_amount():
    assert error(intensities={"cpu": ["٣"]}).startswith("--intensity cpu: ")


@st.composite
def wishes(draw):
    shortest = draw(st.floats(5, 50))
    return GeneratorOptions(
        length=draw(st.integers(500, 5000)),
        events=draw(st.integers(1, 20)),
        seed=draw(st.integers(0, 2**32)),
        shortest=shortest,
        longest=shortest * draw(st.floats(1, 20)),
        weights=draw(st.dictionaries(st.sampled_from(list(KINDS)), st.floats(0.1, 10))),
    )


@given(wishes())
@settings(max_examples=100, deadline=None)
def test_drawn_events_lie_within_the_length(wishes):
    for event in drawn(wishes).events:
        assert event.end_s <= wishes.length + 1e-6


@given(wishes())
@settings(max_examples=100, deadline=None)
def test_durations_lie_between_the_shortest_and_the_longest(wishes):
    least = min(wishes.shortest, wishes.length)
    for event in generate(wishes, KINDS)["events"]:
        assert least - 0.15 <= parse_duration(event["duration"]) <= wishes.longest + 0.05 + 1e-9


@given(wishes())
@settings(max_examples=100, deadline=None)
def test_without_overlap_no_two_events_overlap(wishes):
    ends = 0.0
    for event in drawn(replace(wishes, overlap=False)).events:
        assert event.start_s >= ends - 1e-6
        assert event.end_s <= wishes.length + 1e-6
        ends = event.end_s
