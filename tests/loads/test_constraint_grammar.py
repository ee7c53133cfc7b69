"""The grammar of constraints."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_twin.loads.constraint import KEYWORDS, excess, parse_constraint
from pytest_twin.loads.parser import parse_load
from pytest_twin.loads.registry import kinds
from pytest_twin.loads.spec import LoadError
from pytest_twin.stressors.system import capacity


def problems(raw):
    with pytest.raises(LoadError) as caught:
        parse_constraint(raw)
    return caught.value.problems


def test_a_constraint_is_written_as_keywords_or_as_text():
    part = parse_constraint({"cpu": 0.5, "period": "5ms", "cpus": 1, "mem": "512MiB", "io": "20MB/s"})
    assert part.options == {"cpu": 0.5, "period": 0.005, "cpus": 1, "mem": 512 << 20, "io": 20e6}
    assert parse_constraint("cpu=0.5 period=5ms cpus=1 mem=512MiB io=20MB/s").options == part.options
    assert str(part) == "constrain cpu=0.5 period=5ms cpus=1 mem=512MiB io=20MB/s"


def test_a_share_is_one_of_what_may_be_used():
    options = parse_constraint("cpu=50% mem=25%").options
    assert options["cpu"] == pytest.approx(capacity.usable_cpus() / 2)
    assert options["mem"] == pytest.approx(capacity.usable_memory() / 4, rel=0.01)


def test_a_bare_number_of_memory_is_mebibytes():
    assert parse_constraint("mem=64").options == {"mem": 64 << 20}


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ({}, ("", "constrains nothing; give cpu=0.5 cpus=1 mem=512MiB")),
        ("cpu", ("", "'cpu' is not a constraint; write one such as cpu=0.5 cpus=1 mem=512MiB")),
        (7, ("", "7 is not a constraint; write one such as cpu=0.5 cpus=1 mem=512MiB")),
        ("cpu=1 cpu=2", ("", "'cpu=1 cpu=2' has cpu twice")),
        ("cpus=1 perod=5ms", ("", 'unknown keyword "perod"; did you mean "period"?')),
        ("cpu=0.001", ("cpu", "'0.001' is less than 0.01 CPUs")),
        ("cpu=1GiB", ("cpu", "'1GiB' is not CPU time; give a number of CPUs such as 0.5, or a share such as \"25%\"")),
        ("cpus=1 period=5ms", ("period", "needs cpu=, the CPU time that may be used in each period")),
        ("cpu=1 period=2s", ("period", "'2s' is not from 1ms to 1s")),
        ({"cpus": 1.5}, ("cpus", "1.5 is not a whole number of CPUs from 1")),
        ({"cpus": True}, ("cpus", "True is not an amount; give a whole number of CPUs such as 1")),
        ("mem=1MiB", ("mem", "'1MiB' is less than 16.0MiB")),
        ("mem=1MB/s", ("mem", '\'1MB/s\' is not an amount of memory; give one such as "512MiB" or "25%"')),
        ("io=5", ("io", "'5' is not a rate; give one such as \"20MB/s\"")),
    ],
)
def test_a_mistake_is_one_line(raw, problem):
    assert problems(raw) == [problem]


def test_what_takes_nothing_away_is_found():
    most = capacity.allowed_cpus()
    found = dict(excess(parse_constraint({"cpu": most + 0.5, "cpus": most + 1, "mem": "900TiB"})))
    assert found["cpu"] == f"{most + 0.5:g} is more than the {most} CPUs that may be used here; give 0.01 to {most}"
    assert found["cpus"] == f"{most + 1} is more than the {most} CPUs that may be used here; give 1 to {most}"
    assert found["mem"].startswith("921600.0GiB is more than the memory of ")
    assert not [*excess(parse_constraint({"cpu": most, "cpus": most, "mem": "100%"}))]


def test_a_constraint_begins_when_the_loads_are_ready():
    load = parse_load({"constrain": "cpu=0.5", "cpu": "25%"}, kinds())
    assert [part.kind.keyword for part in load.parts] == ["cpu", "constrain"]
    assert str(load) == "cpu=25% constrain cpu=0.5"
    assert [part.is_constraint for part in load.parts] == [False, True]


def test_its_mistakes_are_those_of_the_load():
    with pytest.raises(LoadError) as caught:
        parse_load({"constrain": "cpu=x mem=2"}, kinds())
    assert caught.value.problems == [
        ("constrain: cpu", "'x' is not an amount; give a number of CPUs such as 0.5, or a share such as \"25%\""),
        ("constrain: mem", "'2' is less than 16.0MiB"),
    ]


@given(
    st.dictionaries(
        st.sampled_from([*KEYWORDS]), st.one_of(st.text(max_size=8), st.floats(), st.integers()), max_size=4
    )
)
def test_anything_is_a_constraint_or_a_list_of_problems(words):
    try:
        assert parse_constraint(words).options.keys() == words.keys()
    except LoadError as error:
        assert all(problem for _, problem in error.problems)  # noqa: PT017 - it may also be right


@pytest.mark.parametrize(
    ("raw", "figures", "text"),
    [
        ("cpu=0.5", {"tests_cpu_s": 1.004}, "0.502 CPUs"),
        ("cpus=1", {"tests_cpu_s": 1.5, "peak_bytes": 7}, "0.750 CPUs"),
        ("mem=64MiB", {"tests_cpu_s": 1.0, "peak_bytes": 32 << 20}, "32.0MiB"),
        ("cpu=0.5 mem=64MiB", {"tests_cpu_s": 1.0, "peak_bytes": 32 << 20}, "0.500 CPUs, 32.0MiB"),
        ("mem=64MiB", {"tests_cpu_s": 1.0}, ""),
        ("io=5MB/s", {"tests_cpu_s": 1.0}, ""),
        ("io=5MB/s mem=64MiB", {"tests_cpu_s": 1.0, "peak_bytes": 32 << 20}, "32.0MiB"),
        ("cpu=0.5", {"tests_cpu_s": -0.0001}, "0.000 CPUs"),
        ("cpu=0.5", {}, ""),
    ],
)
def test_what_was_achieved_is_what_the_tests_used(raw, figures, text):
    assert parse_constraint(raw).format_achieved(figures, 2.0, {}) == text


@pytest.mark.parametrize(
    ("raw", "held_s", "text"),
    [
        ("cpu=0.25", 0.099, ""),
        ("cpu=0.25", 0.1, "0.500 CPUs"),
        ("cpu=0.25 period=5ms", 0.05, ""),
        ("cpu=0.25 period=1s", 0.9, ""),
        ("cpu=0.25 period=1s", 1.0, "0.500 CPUs"),
        ("cpu=0.25 mem=64MiB", 0.05, "32.0MiB"),
    ],
)
def test_the_cpus_of_less_than_a_period_are_not_known(raw, held_s, text):
    figures = {"tests_cpu_s": 0.5 * held_s, "peak_bytes": 32 << 20}
    assert parse_constraint(raw).format_achieved(figures, held_s, {}) == text


def test_a_load_can_be_split_into_loads_and_constraints():
    load = parse_load({"cpu": 1, "constrain": "cpu=0.5", "ramp": "1s"}, kinds())
    assert load.adds_load
    assert str(load.only(constraints=False)) == "cpu=1 ramp=1s"
    assert str(load.only(constraints=True)) == "constrain cpu=0.5"
    assert not load.only(constraints=True).adds_load
    assert [part.must_hold for part in load.parts] == [False, True]
