"""Stages of a load: amounts one after another, each reached in a straight line."""

import pytest
from any_values import VALUES, tried
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_twin.loads import stages
from pytest_twin.loads.parser import parse_load
from pytest_twin.loads.spec import LoadError
from pytest_twin.stressors import find_kinds

KINDS = find_kinds()


def part(**keywords):
    (only,) = parse_load(keywords, KINDS).parts
    return only


def problem(**keywords):
    with pytest.raises(LoadError) as caught:
        parse_load(keywords, KINDS)
    ((key, what),) = caught.value.problems
    assert key == "stages"
    return what


def test_each_stage_goes_straight_to_its_amount_from_the_one_before():
    profile = part(cpu="0%", stages="10s:20%, 30s:80%, 10s:0%").profile
    assert profile == ((0.0, 0.0), (10.0, 0.2), (40.0, 0.8), (50.0, 0.0))


def test_the_amount_of_the_kind_is_where_the_stages_begin():
    assert part(cpu="50%", stages="10s:20%").profile == ((0.0, 0.5), (10.0, 0.2))


def test_the_same_amount_again_holds_it_and_no_time_at_all_jumps_to_it():
    assert part(mem="10B", stages="5s:10B, 0s:30B").profile == ((0.0, 10.0), (5.0, 10.0), (5.0, 30.0))


def test_stages_are_a_list_of_pairs_as_well():
    assert part(cpu=1, stages=[("10s", 4), [5, "2"]]) == part(cpu=1, stages="10s:4, 5s:2")


@pytest.mark.parametrize(
    ("kind", "start", "stage", "unit"),
    [
        ("cpu", 0, "20%", "share"),
        ("cpu", 1, "4", "count"),
        ("mem", 0, "1GiB", "bytes"),
        ("disk", "0B", "5MB/s", "bytes/s"),
    ],
)
def test_stages_have_the_unit_of_their_amounts_and_a_start_of_nothing_has_any(kind, start, stage, unit):
    assert part(**{kind: start, "stages": f"10s:{stage}"}).unit == unit


def test_all_kinds_of_a_load_go_through_its_stages():
    cpu, mem = parse_load({"cpu": "10%", "mem": "0%", "stages": "10s:20%"}, KINDS).parts
    assert (cpu.profile, mem.profile) == (((0.0, 0.1), (10.0, 0.2)), ((0.0, 0.0), (10.0, 0.2)))


def test_each_kind_may_have_stages_of_its_own():
    words = {"cpu": "10%", "mem": "1GiB", "disk": "5MB/s", "stages": {"cpu": "10s:20%", "disk": [[5, "9MB/s"]]}}
    cpu, mem, disk = parse_load(words, KINDS).parts
    assert (cpu.profile, mem.profile) == (((0.0, 0.1), (10.0, 0.2)), ((0.0, 2.0**30),))
    assert (disk.profile, disk.text) == (((0.0, 5e6), (5.0, 9e6)), "5MB/s, 5s:9MB/s")


def test_faster_stages_of_each_kind_are_written_as_they_are():
    faster = parse_load({"cpu": "10%", "mem": "0%", "stages": {"cpu": "10s:20%"}}, KINDS).faster(10)
    assert faster.parts[0].profile == ((0.0, 0.1), (1.0, 0.2))
    assert faster.keywords["stages"] == {"cpu": "1s:20%"}


def test_stages_of_nothing_are_nothing():
    assert not parse_load({"cpu": 0, "stages": "10s:0%"}, KINDS)


def test_what_was_asked_tells_of_the_stages():
    assert part(cpu="5%", stages="1m:20%").text == "5%, 60s:20%"


def test_faster_stages_keep_their_amounts_and_are_written_as_they_are():
    faster = parse_load({"cpu": "0%", "stages": "10s:20%, 30s:80%"}, KINDS).faster(10)
    assert faster.parts[0].profile == ((0.0, 0.0), (1.0, 0.2), (4.0, 0.8))
    assert faster.keywords == {"cpu": "0%", "stages": "1s:20%, 3s:80%"}


@pytest.mark.parametrize("raw", ["", "20%", ":20%", [], [("10s",)], 5, None, True, {}, "10s:20%,"])
def test_what_has_no_durations_and_amounts_is_refused(raw):
    said = f'{raw!r} is not a list of stages; write durations and amounts such as "10s:20%, 30s:80%"'
    assert problem(cpu="10%", stages=raw) == said


@pytest.mark.parametrize(
    ("keywords", "said"),
    [
        ({"cpu": "0%", "stages": "-1s:20%"}, "-1s is below 0"),
        ({"cpu": "0%", "stages": "10s:120%"}, 'cpu: "120%" is over 100%; give 0-100%'),
        ({"cpu": "10%", "stages": "10s:4"}, 'cpu: "4" has a different unit from the amounts before it'),
        ({"disk": "1MB/s", "stages": "10s:max"}, 'disk: "max" has a different unit from the amounts before it'),
        ({"disk": "0B", "stages": "10s:5MB"}, 'disk: "0B, 10s:5MB" has amounts that cannot change over time'),
        ({"cpu": "0%", "stages": {"cup": "10s:4%"}}, 'unknown kind "cup"; did you mean "cpu"?'),
        ({"cpu": "0%", "stages": {"mem": "10s:4%"}}, 'unknown kind "mem"; known are cpu'),
        ({"cpu": "0%", "stages": {"cpu": "-1s:4%"}}, "cpu: -1s is below 0"),
        (
            {"cpu": "0%", "stages": {"cpu": "4%"}},
            "cpu: '4%' is not a list of stages; write durations and amounts such as \"10s:20%, 30s:80%\"",
        ),
        ({"cpu": "0%", "ramp": 5, "stages": "9s:9%"}, "has its own ramps; leave out ramp, or make it the first stage"),
    ],
)
def test_what_is_wrong_with_stages_is_said(keywords, said):
    assert problem(**keywords) == said


@given(VALUES)
@example([[1.2e-38, None]])
@example([[0, {"": None}]])
@settings(max_examples=100, deadline=None)
def test_whatever_is_given_is_stages_or_a_value_error(raw):
    found, error = tried(ValueError, stages.parse_all_stages, raw)
    assert error or stages.parse_all_stages(stages.faster_stages(raw, 1.0)) == found


@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 100)), min_size=1, max_size=5))
@settings(max_examples=50, deadline=None)
def test_the_last_amount_is_reached_when_all_stages_are_over(given_stages):
    written = ",".join(f"{seconds}s:{share}%" for seconds, share in given_stages)
    profile = part(cpu="1%", stages=written).profile
    assert profile[-1] == (sum(seconds for seconds, _ in given_stages), given_stages[-1][1] / 100)


def test_a_load_is_printed_with_its_stages_and_without_json():
    load = parse_load({"cpu": "20%", "mem": "5%", "strict": True, "stages": {"cpu": "2s:60%", "mem": "1s:9%"}}, KINDS)
    assert str(load) == "cpu=20% mem=5% strict=true stages=(cpu=2s:60%; mem=1s:9%)"
    assert str(parse_load({"cpu": "10%", "stages": [["5s", "50%"], [1, "0%"]]}, KINDS)) == "cpu=10% stages=5s:50%, 1:0%"
