"""Loads: one grammar for marker, fixture, schedule and command line."""

import math

import pytest
from any_values import VALUES, tried
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_twin.loads.modifiers import MODIFIERS
from pytest_twin.loads.parser import parse_amount, parse_load
from pytest_twin.loads.spec import Load, LoadError
from pytest_twin.model.error_text import unknown
from pytest_twin.stressors import find_kinds
from pytest_twin.stressors.spec.kind import BYTES, COUNT, MAX, OPS, RATE, SHARE

KINDS = find_kinds()
CPU = 'a whole number of workers, or a share such as "75%"'
MEM = 'an amount such as "1GiB", a share such as "25%", or a number of MiB'
DISK = 'a rate such as "50MB/s", an amount such as "1500MB", or "max"'


USABLE = {"cpu_s": 4.0, "host_cpu_s": 8.0, "peak_bytes": 2**33}


def part(**keywords):
    (only,) = parse_load(keywords, KINDS).parts
    return only


def problems(**keywords):
    with pytest.raises(LoadError) as caught:
        parse_load(keywords, KINDS)
    assert str(caught.value) == "; ".join(
        f"{key}: {problem}" if key else problem for key, problem in caught.value.problems
    )
    return caught.value.problems


@pytest.mark.parametrize(
    ("kind", "raw", "unit", "value"),
    [
        ("cpu", 8, COUNT, 8),
        ("cpu", "8", COUNT, 8),
        ("cpu", 10_000, COUNT, 10_000),
        ("cpu", "75%", SHARE, 0.75),
        ("mem", "1GiB", BYTES, 2**30),
        ("mem", 512, BYTES, 512 * 2**20),
        ("mem", 0.5, BYTES, 2**19),
        ("mem", "25%", SHARE, 0.25),
        ("disk", "50MB/s", RATE, 50_000_000),
        ("disk", "1500MB", BYTES, 1_500_000_000),
        ("disk", "max", MAX, 0),
        ("iops", 200, OPS, 200),
        ("iops", "0.5/s", OPS, 0.5),
        ("fds", 1_000_000, COUNT, 1_000_000),
    ],
)
def test_a_load_of_one_kind_holds_its_amount(kind, raw, unit, value):
    one = part(**{kind: raw})
    assert (one.kind, one.text, one.unit, one.profile) == (KINDS[kind], str(raw), unit, ((0.0, value),))


def test_a_load_has_one_part_for_each_kind_in_the_order_of_its_words():
    load = parse_load({"disk": "50MB/s", "cpu": 2}, KINDS)
    assert [part.kind.keyword for part in load.parts] == ["disk", "cpu"]


def test_a_load_remembers_how_it_was_written():
    assert str(parse_load({"cpu": "75%", "mem": 512, "ramp": "5s"}, KINDS)) == "cpu=75% mem=512 ramp=5s"


@pytest.mark.parametrize(
    ("kind", "raw"), [("cpu", 0), ("cpu", "0%"), ("mem", 0), ("mem", "0B"), ("disk", "0MB/s"), ("disk", "0B")]
)
def test_a_load_of_nothing_is_false_but_still_known_by_its_words(kind, raw):
    load = parse_load({kind: raw}, KINDS)
    assert not load
    assert load == Load((), {kind: raw})


@pytest.mark.parametrize(
    ("kind", "raw", "problem"),
    [
        ("cpu", "fast", f"'fast' is not an amount; give {CPU}"),
        ("cpu", None, f"None is not an amount; give {CPU}"),
        ("cpu", True, f"True is not an amount; give {CPU}"),
        ("cpu", 1.5, f"1.5 is not a whole number; give {CPU}"),
        ("cpu", "1GiB", f"'1GiB' has no suitable unit; give {CPU}"),
        ("cpu", "max", f"'max' has no suitable unit; give {CPU}"),
        ("cpu", 10_001, "10001 is too large; give at most 10000"),
        ("threads", 100_001, "100001 is too large; give at most 100000"),
        ("cpu", "5/s", f"'5/s' has no suitable unit; give {CPU}"),
        ("cpu", -1, "-1 is below 0"),
        ("cpu", "150%", '"150%" is over 100%; give 0-100%'),
        ("mem", "1GiB/s", f"'1GiB/s' has no suitable unit; give {MEM}"),
        ("mem", [], f"[] is not an amount; give {MEM}"),
        ("disk", 50, f"50 has no suitable unit; give {DISK}"),
        ("disk", "5%", f"'5%' has no suitable unit; give {DISK}"),
    ],
)
def test_an_amount_that_a_kind_cannot_have_says_what_to_give(kind, raw, problem):
    assert problems(**{kind: raw}) == [(kind, problem)]


@pytest.mark.parametrize(
    ("keyword", "raw", "problem"),
    [
        ("ramp", "soon", '\'soon\' is not a duration; write seconds, or text such as "500ms" or "1m30s"'),
        ("ramp", -5, "-5 is below 0"),
        ("pause", "2 years", '\'2 years\' is not a duration; write seconds, or text such as "500ms" or "1m30s"'),
        ("block", 4096, '4096 is not a size; write one such as "256KiB"'),
        ("loop", 1, "1 is not true or false"),
        ("loop", "yes", "'yes' is not true or false"),
        ("directory", "", "'' is not the name of a directory"),
        ("directory", "a\0b", "'a\\x00b' is not the name of a directory"),
        ("directory", 5, "5 is not the name of a directory"),
    ],
)
def test_a_modifier_that_cannot_be_read_says_why(keyword, raw, problem):
    assert problems(disk="1MB", **{keyword: raw}) == [(keyword, problem)]


@pytest.mark.parametrize("steps", [0, -1, 10_001, 2.0, "5", True, None])
def test_steps_are_a_whole_number(steps):
    assert problems(cpu=1, ramp="5s", steps=steps) == [("steps", f"{steps!r} is not a whole number from 1 to 10000")]


def test_steps_need_a_ramp():
    assert problems(cpu=1, steps=5) == [("steps", "needs a ramp: the time over which the steps are taken")]


@pytest.mark.parametrize(
    ("keyword", "raw", "problem"),
    [
        ("block", "1MB", "disk only: bytes per write or read"),
        ("pattern", "read", "disk only: write, read, mixed (half of each), or mixed:70 (70 % is read)"),
        ("pause", "1s", "disk only: pause between two blocks of an amount"),
        ("loop", True, "disk only: write the amount repeatedly"),
        ("directory", "x", "disk, iops only: write an unnamed file in this directory"),
    ],
)
def test_a_modifier_of_the_disk_is_refused_without_a_disk(keyword, raw, problem):
    assert problems(cpu=1, **{keyword: raw}) == [(keyword, problem)]


def test_a_method_is_for_loads_of_the_cpu():
    assert part(cpu="50%", method="float").options == part(cpu_total="50%", method="float").options
    assert problems(mem=1, method="float") == [
        ("method", "cpu, cpu_total only: the computation, one of int, float, memory, branch")
    ]


@pytest.mark.parametrize("raw", ["fpu", "INT", 1, None, ["int"]])
def test_a_method_is_one_of_a_few(raw):
    assert problems(cpu=1, method=raw) == [("method", f"{raw!r} is not one of int, float, memory, branch")]


def test_a_misspelled_word_gets_the_nearest_one():
    assert problems(cpuu=1) == [("", 'unknown keyword "cpuu"; did you mean "cpu"?')]


def test_a_word_that_is_near_to_none_gets_them_all():
    known = ", ".join(sorted([*KINDS, "constrain", *MODIFIERS]))
    assert problems(gravity=1) == [("", f'unknown keyword "gravity"; known are {known}')]
    assert unknown("x", []) == 'unknown key "x"; known are '


def test_everything_that_is_wrong_is_said_at_once():
    assert [key for key, _ in problems(cpu="150%", mem="x", loop=1, steps=5, gpu=1)] == [
        "cpu",
        "mem",
        "loop",
        "",  # the unknown gpu
        "loop",
        "steps",
    ]


def test_a_ramp_grows_straight_to_the_amount():
    assert part(cpu="50%", ramp="5s").profile == ((0.0, 0.0), (5.0, 0.5))


def test_a_ramp_of_no_time_is_none():
    assert part(cpu="50%", ramp=0).profile == ((0.0, 0.5),)


def test_steps_make_a_staircase_whose_first_step_is_there_at_once():
    assert part(mem="30B", ramp="6s", steps=3).profile == (
        (0.0, 10.0),
        (2.0, 10.0),
        (2.0, 20.0),
        (4.0, 20.0),
        (4.0, 30.0),
    )


def test_one_step_is_the_amount_itself():
    assert part(mem="30B", ramp="6s", steps=1).profile == ((0.0, 30.0),)


def test_a_part_takes_only_the_options_of_its_kind():
    cpu, disk = parse_load(
        {"cpu": 1, "disk": "1MB", "pause": "10ms", "block": "4KiB", "loop": True, "directory": "d"}, KINDS
    ).parts
    assert cpu.options == {}
    assert disk.options == {"block": 4096.0, "pause": 0.01, "loop": True, "directory": "d"}


@pytest.mark.parametrize(
    ("pattern", "read_share"),
    [("write", 0.0), ("read", 1.0), ("mixed", 0.5), ("mixed:70", 0.7), ("mixed:0", 0.0), ("mixed:100", 1.0)],
)
def test_a_pattern_is_the_share_that_is_read(pattern, read_share):
    assert part(disk="max", pattern=pattern).options == {"pattern": read_share}


@pytest.mark.parametrize("pattern", ["", "reed", "read:70", "mixed:", "mixed:101", "mixed:-1", "mixed:7.5", 70, None])
def test_a_pattern_that_is_none_is_told_what_may_be_written(pattern):
    told = f'{pattern!r} is not a pattern; give "write", "read", "mixed", or "mixed:70" where 70 % is read'
    assert problems(disk="max", pattern=pattern) == [("pattern", told)]


@pytest.mark.parametrize("access", ["rand", True, []])
def test_an_order_of_access_is_one_of_two(access):
    told = f'{access!r} is not an access order; give "sequential" or "random"'
    assert problems(disk="max", access=access) == [("access", told)]
    assert part(disk="max", access="random").options == {"access": "random"}


def test_a_faster_load_keeps_its_amounts_and_shrinks_its_times():
    faster = parse_load({"disk": "20B", "ramp": "4s", "steps": 2, "pause": "10s"}, KINDS).faster(10).parts[0]
    assert faster.profile == ((0.0, 10.0), (0.2, 10.0), (0.2, 20.0))
    assert faster.options == {"pause": 1.0}


def test_the_supervisor_is_sent_plain_values():
    assert part(disk="1MB/s", block="4KiB").request("l1").to_json() == {
        "id": "l1",
        "module": "pytest_twin.stressors.kinds.disk",
        "unit": "bytes/s",
        "profile": ((0.0, 1e6),),
        "options": {"block": 4096.0, "strict": False},
        "stop_when": (),
        "start": None,
        "duration": None,
        "seed": 0,
    }


@pytest.mark.parametrize(
    ("keywords", "achieved", "held_s", "said"),
    [
        ({"cpu": 2}, {"cpu_s": 19.5}, 10.0, "1.95 cores"),
        ({"cpu": "50%"}, {"cpu_s": 20.0}, 10.0, "50.0%"),
        ({"mem": "1GiB"}, {"peak_bytes": 2**29}, 10.0, "512.0MiB"),
        ({"mem": "512MB"}, {"peak_bytes": 512e6}, 10.0, "512.0MB"),
        ({"mem": "25%"}, {"peak_bytes": 2**30}, 10.0, "12.5%"),
        ({"disk": "50MB/s"}, {"moved_bytes": 490e6}, 10.0, "49.0MB/s"),
        ({"disk": "max"}, {"moved_bytes": 490e6}, 10.0, "49.0MB/s"),
        ({"disk": "1500MB"}, {"moved_bytes": 1500e6}, 10.0, "1.5GB"),
        ({"cpu_total": "75%"}, {"cpu_s": 20.0, "host_cpu_s": 60.0}, 10.0, "75.0%"),
        ({"iops": 200}, {"operations": 1990.0}, 10.0, "199.0/s"),
        ({"iops": "max"}, {"operations": 1990.0}, 10.0, "199.0/s"),
        ({"net": "50MB/s"}, {"sent_bytes": 490e6}, 10.0, "49.0MB/s"),
        ({"fds": 4_000_000}, {"peak_open_files": 4_000_000}, 10.0, "4000000"),
        ({"fds": "25%"}, {"peak_open_files": 50, "of_peak_open_files": 200.0}, 10.0, "25.0%"),
        ({"cpu": 2}, {}, 10.0, ""),
        ({"cpu": 2}, {"cpu_s": 1.0}, 0.0, ""),
    ],
)
def test_what_was_achieved_is_said_in_the_unit_that_was_asked(keywords, achieved, held_s, said):
    assert part(**keywords).format_achieved(achieved, held_s, USABLE) == said


def test_a_share_of_an_unknown_whole_is_not_said():
    assert part(mem="25%").format_achieved({"peak_bytes": 5.0}, 10.0, {}) == ""


@pytest.mark.slow
@given(st.dictionaries(st.sampled_from([*KINDS, *MODIFIERS, "gpu"]) | st.text(max_size=5), VALUES, max_size=5))
@settings(max_examples=200, deadline=None)
def test_whatever_is_given_is_a_load_or_a_load_error(keywords):
    load, error = tried(LoadError, parse_load, keywords, KINDS)
    if error:
        assert {key for key, _ in error.problems} <= {"", *keywords}
        return
    assert load.keywords == keywords
    for one in load.parts:
        times = [at for at, _ in one.profile]
        assert times == sorted(times)
        assert all(math.isfinite(at) and 0 <= value < math.inf for at, value in one.profile)


@given(st.sampled_from(list(KINDS.values())), VALUES)
@settings(max_examples=150, deadline=None)
def test_whatever_is_given_is_an_amount_of_the_kind_or_a_value_error(kind, raw):
    try:
        asked = parse_amount(kind, raw)
    except ValueError:
        return
    assert asked.unit in kind.units


@given(st.integers(1, 10_000), st.floats(0.001, 1e6), st.floats(0, 1e12))
@settings(max_examples=60, deadline=None)
def test_a_staircase_ends_at_its_amount_before_the_ramp_is_over(steps, ramp, value):
    profile = part(mem=f"{value + 1:.0f}B", ramp=ramp, steps=steps).profile
    assert len(profile) == 2 * steps - 1
    assert profile[-1][0] < ramp
    assert profile[-1][1] == pytest.approx(float(f"{value + 1:.0f}"))
