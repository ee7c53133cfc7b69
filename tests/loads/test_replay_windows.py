"""The part of a recording that an event of a schedule replays."""

from __future__ import annotations

import json

import pytest

from pytest_twin.loads.schedule.parser import parse_schedule
from pytest_twin.loads.schedule.schedule import ScheduleError
from pytest_twin.loads.schedule.window import parse_moment
from pytest_twin.model.machine_formats.parser import parse_text
from pytest_twin.stressors import find_kinds

KINDS = find_kinds()
OUTSIDE = "is not within the recording, which lasts from 2026-11-28 09:50:00 UTC, 3600 s"
LEVELS = [10, 20, 30, 80, 90, 40]  # each for 10 minutes, from 09:50 to 10:50
RECORDING = "timestamp,cpu_percent\n" + "".join(
    f"2026-11-28T10:{10 * at:02}:00Z,{level}\n" for at, level in enumerate(LEVELS)
)
RELATIVE = "elapsed_s,cpu_percent\n" + "".join(f"{at},{level}\n" for at, level in enumerate(LEVELS))


def play(text=RECORDING, **event):
    document = json.dumps({"events": [{"replay": "prod.csv", **event}]})
    schedule = parse_schedule(document, "plan.json", KINDS, lambda _: parse_text(text))
    (only,) = schedule.events
    return only, schedule


def profile(*args, **event):
    (part,) = play(*args, **event)[0].load.parts
    return [(since, until, round(value, 9)) for (since, value), (until, _) in zip(
        part.profile[::2], part.profile[1::2], strict=True)]  # fmt: skip


def problem(*args, **event):
    with pytest.raises(ScheduleError) as caught:
        play(*args, **event)
    (only,) = caught.value.problems
    return only.removeprefix("plan.json: events[0]")


def test_a_part_is_between_two_times_of_day():
    assert profile(**{"from": "10:00", "to": "10:20"}) == [(0, 600, 0.2), (600, 1200, 0.3)]


def test_a_part_may_begin_and_end_within_an_interval():
    assert profile(**{"from": "10:05:00", "to": "10:12"}) == [(0, 300, 0.2), (300, 420, 0.3)]


def test_a_part_may_be_an_offset_or_have_one_end_only():
    assert profile(RELATIVE, **{"from": "4s"}) == [(0, 1, 0.9), (1, 2, 0.4)]
    assert profile(RELATIVE, to=1.5) == [(0, 1, 0.1), (1, 1.5, 0.2)]


def test_a_part_may_have_a_date():
    assert profile(**{"from": "2026-11-28T11:20:00+01:00", "to": "2026-11-28 10:30"}) == [(0, 600, 0.8)]


def test_a_time_of_day_is_that_of_the_next_day_if_the_first_has_passed():
    days = "time,cpu_percent\n" + "".join(f"2026-11-{day}T12:00:00Z,{day}\n" for day in range(20, 24))
    assert profile(days, **{"from": "18:00", "to": "11:00"}) == [(0, 17 * 3600, 0.2)]


def test_the_busiest_part_has_the_highest_mean():
    assert profile(busiest="20m") == [(0, 600, 0.8), (600, 1200, 0.9)]
    assert profile(busiest="15m") == [(0, 300, 0.8), (300, 900, 0.9)]


def test_the_schedule_says_how_much_of_the_recording_is_played():
    event, schedule = play(busiest="20m")
    remark = "1200 s of 3600 s are played (33.3 %), from 2026-11-28 10:20:00 UTC"
    assert schedule.remarks == (f"prod.csv: {remark}",)
    assert event.note == remark
    assert event.duration_s == 1200


def test_a_part_may_be_played_faster():
    event, _ = play(**{"from": "10:00", "to": "10:20", "speed": 10})
    assert event.duration_s == 120
    assert event.load.keywords == {"replay": "prod.csv", "from": "10:00", "to": "10:20", "speed": 10}


def test_two_parts_of_one_recording_are_two_loads():
    document = json.dumps({"events": [{"replay": "p.csv", "to": "10m"}, {"replay": "p.csv", "from": "50m"}]})
    schedule = parse_schedule(document, "plan.json", KINDS, lambda _: parse_text(RECORDING))
    assert [event.load.parts[0].profile[0][1] for event in schedule.events] == [0.1, 0.4]
    assert len(schedule.remarks) == 2


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"from": "12:00"}, f".replay: prod.csv: from: {OUTSIDE}"),
        ({"to": "2h"}, f".replay: prod.csv: to: {OUTSIDE}"),
        ({"from": "20m", "to": "10m"},
         ".replay: prod.csv: to: is not after from (600 s and 1200 s after the start)"),
        ({"busiest": "2h"},
         ".replay: prod.csv: busiest: 7200 s are more than the recording has, which lasts 3600 s"),
        ({"busiest": "5m", "to": "10m"}, ": has both busiest and from or to; remove one"),
        ({"from": "noon"},
         '.from: \'noon\' is not a time; write a time of day such as "10:00", or an offset such as "90s"'),
        ({"from": "25:00"},
         '.from: \'25:00\' is not a time; write a time of day such as "10:00", or an offset such as "90s"'),
        ({"to": "-5s"}, ".to: -5s is below 0"),
    ],
)  # fmt: skip
def test_a_part_that_is_not_there_is_told(event, said):
    assert problem(**event) == said


def test_a_recording_without_dates_has_no_times_of_day():
    assert problem(RELATIVE, **{"from": "10:00"}) == (
        '.replay: prod.csv: from: the recording has no dates; give an offset such as "90s"'
    )


def test_only_a_replay_has_a_part():
    with pytest.raises(ScheduleError, match=r"events\[0\]\.busiest: applies only to a replay"):
        parse_schedule('{"events": [{"cpu": 1, "duration": 1, "busiest": 1}]}', "plan.json", KINDS, parse_text)


@pytest.mark.parametrize("raw", [True, None, [], "", "10:0", "99999d"])
def test_what_is_no_moment_is_a_value_error(raw):
    with pytest.raises(ValueError, match="is "):
        parse_moment(raw)
