"""A recording that is replayed with a larger or smaller demand."""

from __future__ import annotations

import json

import pytest

from pytest_twin.loads.schedule.parser import parse_schedule
from pytest_twin.loads.schedule.schedule import ScheduleError
from pytest_twin.model.machine_formats.parser import parse_text
from pytest_twin.stressors import find_kinds
from pytest_twin.stressors.spec.request import LOWEST

KINDS = find_kinds()
NO_TOTAL = "the recording does not tell how much memory the machine has"
RECORDING = "elapsed_s,cpu_percent,ram_used_percent,disk_write_MB\n0,40,30,1\n1,40,30,1\n2,80,40,2\n"


def play(text=RECORDING, **event):
    """The schedule of one replay."""
    document = json.dumps({"events": [{"replay": "prod.csv", **event}]})
    return parse_schedule(document, "plan.json", KINDS, lambda _: parse_text(text))


def parts(*args, **event):
    return {part.kind.keyword: part for part in play(*args, **event).events[0].load.parts}


def values(part):
    return [round(value, 9) for _, value in part.profile]


def problem(*args, **event):
    with pytest.raises(ScheduleError) as caught:
        play(*args, **event)
    (only,) = caught.value.problems
    return only.removeprefix("plan.json: events[0]")


def test_a_demand_of_the_cpu_may_exceed_the_machine():
    assert max(values(parts()["cpu"])) == 0.8
    assert max(values(parts(scale="cpu*1.5")["cpu"])) == 1.2
    assert max(values(parts(scale="cpu+30%")["cpu"])) == 1.1


def test_what_is_not_scaled_is_replayed_as_recorded():
    before, after = parts(), parts(scale="cpu*1.5")
    assert {name: values(part) for name, part in after.items() if name != "cpu"} == {
        name: values(part) for name, part in before.items() if name != "cpu"
    }


def test_memory_rises_above_the_lowest_level_of_the_recording():
    """An amount that is added to every level must not be taken for what is always in use."""
    memory = parts(scale="mem*2")["mem"]
    assert (memory.options[LOWEST], values(memory)) == (0.3, [0.3, 0.3, 0.5])
    memory = parts(scale="mem+20%")["mem"]
    assert (memory.options[LOWEST], values(memory)) == (0.3, [0.2, 0.2, 0.3])
    memory = parts(scale="mem*0.5")["mem"]
    assert (memory.options[LOWEST], values(memory)) == (0.15, [0.0, 0.0, 0.05])


def test_rates_of_a_disk_are_scaled():
    assert max(values(parts(scale="disk*2")["disk"])) == 2 * max(values(parts()["disk"]))


def test_a_demand_that_is_far_too_large_is_cut_and_told():
    schedule = play(scale="cpu*1000 mem*3")
    assert [max(values(part)) for part in schedule.events[0].load.parts][:2] == [8.0, 0.7]
    assert schedule.remarks == (
        "prod.csv: a demand above 800% for cpu is replayed as 800%; a demand above 100% for mem is replayed as 100%",
    )


def test_the_scale_is_a_keyword_of_the_load():
    event = play(scale="cpu*1.5", speed=2).events[0]
    assert event.load.keywords == {"replay": "prod.csv", "scale": "cpu*1.5", "speed": 2}
    assert event.duration_s == pytest.approx(1.5)
    assert str(event.load) == "replay=prod.csv speed=2 scale=cpu*1.5"


def test_one_recording_may_be_replayed_with_several_scales():
    events = [{"replay": "p.csv"}, {"replay": "p.csv", "scale": "cpu*2"}, {"replay": "p.csv", "scale": "cpu*0.5"}]
    schedule = parse_schedule(json.dumps({"events": events}), "plan.json", KINDS, lambda _: parse_text(RECORDING))
    assert [event.load.parts[0].peak for event in schedule.events] == pytest.approx([0.8, 1.6, 0.4])


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"scale": 2}, '.scale: 2 is not a text of changes such as "cpu*1.5"'),
        ({"scale": ""}, ".scale: gives no change such as cpu*1.5 or cpu+20%"),
        ({"scale": "cpu*0"}, ".scale: 'cpu*0': '0' is not a factor above 0 and up to 1000"),
        ({"scale": "gpu*2"},
         ".scale: 'gpu*2' is not a change such as cpu*1.5 or cpu+20%, mem*2 or mem+4GiB, disk*2 or disk+50MB/s"),
        ({"scale": "mem+4GiB"},
         f".replay: prod.csv: scale: {NO_TOTAL}; give a share, such as mem+10%"),
    ],
)  # fmt: skip
def test_a_scale_that_cannot_be_applied_is_told(event, said):
    assert problem(**event) == said


def test_a_resource_that_was_not_recorded_cannot_be_scaled():
    said = ".replay: prod.csv: scale: the recording has no values of disk_read or disk_write"
    assert problem("elapsed_s,cpu_percent\n0,5\n1,5\n", scale="disk*2") == said


def test_only_a_replay_has_a_scale():
    with pytest.raises(ScheduleError, match=r"events\[0\]\.scale: applies only to a replay"):
        parse_schedule('{"events": [{"cpu": 1, "duration": 1, "scale": "cpu*2"}]}', "plan.json", KINDS, parse_text)
