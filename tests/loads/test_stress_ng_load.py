"""Loads of another program's stressors, as they are written."""

import pytest

from pytest_twin.loads.parser import parse_load
from pytest_twin.loads.spec import Load, LoadError
from pytest_twin.loads.stress_ng import check_stressors
from pytest_twin.stressors import find_kinds

KINDS = find_kinds()


def problems(read, *arguments):
    with pytest.raises(LoadError) as caught:
        read(*arguments)
    return caught.value.problems


def test_each_stressor_is_a_part_of_so_many_instances():
    one, two = parse_load({"engine": "stress-ng", "matrix": 2, "bad_altstack": 1}, KINDS).parts
    assert (one.kind.type, one.text, one.profile) == ("stress-ng matrix", "2", ((0.0, 2.0),))
    assert (two.kind.type, two.options) == ("stress-ng bad-altstack", {"stressor": "bad-altstack"})


def test_under_an_engine_a_word_of_ours_is_one_of_its_own():
    [cpu] = parse_load({"engine": "stress-ng", "cpu": 1}, KINDS).parts
    assert (cpu.kind.type, cpu.request().module) == ("stress-ng cpu", "pytest_twin.stressors.kinds.stress_ng")


def test_what_it_used_is_said_in_cores():
    [part] = parse_load({"engine": "stress-ng", "matrix": 2}, KINDS).parts
    assert part.format_achieved({"cpu_s": 15.0}, 10.0, {}) == "1.50 cores"


@pytest.mark.parametrize(
    ("keywords", "problem"),
    [
        ({"engine": "other", "matrix": 1}, ("engine", "'other' is not an engine; give \"stress-ng\"")),
        ({"engine": "stress-ng"}, ("engine", "needs a stressor, such as matrix=2")),
        (
            {"engine": "stress-ng", "matrix": 0},
            ("matrix", "0 is not a whole number of instances from 1 to 1000"),
        ),
        (
            {"engine": "stress-ng", "matrix": "2"},
            ("matrix", "'2' is not a whole number of instances from 1 to 1000"),
        ),
        ({"engine": "stress-ng", "--matrix": 1}, ("", '"--matrix" is not the name of a stressor')),
        ({"engine": "stress-ng", "Matrix; rm": 1}, ("", '"Matrix; rm" is not the name of a stressor')),
        (
            {"engine": "stress-ng", "matrix": 1, "ramp": "5s"},
            ("ramp", "does not apply to loads of stress-ng, which start at full strength"),
        ),
    ],
)
def test_what_cannot_be_read_says_why(keywords, problem):
    assert problems(parse_load, keywords, KINDS) == [problem]


def test_a_stressor_that_the_program_lacks_gets_the_nearest_one():
    load = parse_load({"engine": "stress-ng", "matrixx": 1, "gravity": 1, "cache": 1}, KINDS)
    assert problems(check_stressors, load, ["matrix", "cache"]) == [
        ("matrixx", 'the installed stress-ng has no such stressor; did you mean "matrix"?'),
        ("gravity", "the installed stress-ng has no such stressor; stress-ng --stressors lists all of them"),
    ]


def test_loads_of_several_engines_are_applied_together():
    loads = [parse_load({"cpu": 1}, KINDS), parse_load({"engine": "stress-ng", "matrix": 2}, KINDS)]
    both = Load.merged(loads)
    assert [part.kind.keyword for part in both.parts] == ["cpu", "matrix"]
    assert str(both) == "cpu=1 engine=stress-ng matrix=2"
