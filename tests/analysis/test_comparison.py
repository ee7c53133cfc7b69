"""Runs compared: what is called more or less, what breaks a limit, and what is said beside the figures."""

from __future__ import annotations

import random
import re

import pandas as pd
import pytest

from pytest_twin.analysis.comparison.changes import Change
from pytest_twin.analysis.comparison.comparison import IncomparableError, compare
from pytest_twin.analysis.comparison.history import series
from pytest_twin.analysis.comparison.same_load import MixedLoadTest
from pytest_twin.analysis.comparison.side import Side
from pytest_twin.model.machine_speed import MachineSpeed, speed_document
from pytest_twin.model.measure import parse_limits
from pytest_twin.report.comparison.wording import broken_limit_lines, closing_line, limit_verdicts, named_tests, rows

LAPTOP = {"cpu": {"model": "A", "logical": 8}, "memory": {"total_GB": 16.0}}
LIMIT = parse_limits(["cpu_seconds>10%"])


def run(cpu_s, **others):
    """The rows of a run in which each test took so many CPU seconds."""
    rows = [
        {"nodeid": name, "outcome": "passed", "load": "", "cpu_user_s": value, "cpu_system_s": 0.0,
         "children_cpu_s": 0.0, "call_s": value, "peak_memory_MB": 50.0, "memory_growth_MB": 5.0} | others.get(name, {})
        for name, value in cpu_s.items()
    ]  # fmt: skip
    return pd.DataFrame(rows)


def noisy(seed, times, slower=1.0, tests=20):
    """So many runs of tests of 0.1 s, whose figures differ by a few per cent; the first test may be slower."""
    draw = random.Random(seed)
    return [
        run({f"t{at}": 0.1 * draw.gauss(1, 0.03) * (slower if at == 0 else 1) for at in range(tests)})
        for _ in range(times)
    ]


def at_speeds(seed, speeds, slower=1.0, tests=20):
    """Runs as those, on a machine on which all tests of a run take so many times as long."""
    runs = zip(noisy(seed, len(speeds), slower, tests), speeds, strict=True)
    return [made.assign(cpu_user_s=speed * made["cpu_user_s"], call_s=speed * made["call_s"]) for made, speed in runs]


def compared(before, after, limits=(), machines=(LAPTOP, LAPTOP)):
    sides = zip(("old", "new"), (before, after), machines, strict=True)
    return compare(*(Side(name, runs, [{"": machine}] * len(runs)) for name, runs, machine in sides), limits)


def verdicts(comparison, test="t0"):
    return {each.measure.name: each.verdict for each in comparison.differences if each.test == test}


def test_a_real_change_is_found_and_the_other_tests_are_left_alone():
    came = compared(noisy(1, 10), noisy(2, 10, slower=1.3), LIMIT)
    assert {each.test for each in came.changed} == {"t0"}
    assert verdicts(came)["cpu_seconds"] == "more"
    assert [(each.test, each.measure.name) for each in came.broken] == [("t0", "cpu_seconds")]
    assert 1.1 < came.broken[0].low < came.broken[0].adjusted < came.broken[0].high


def test_what_became_cheaper_is_less_and_breaks_nothing():
    came = compared(noisy(1, 10), noisy(2, 10, slower=0.7), LIMIT)
    assert verdicts(came)["cpu_seconds"] == "less"
    assert not came.broken


def test_runs_that_are_the_same_seldom_raise_an_alarm():
    alarms = sum(bool(compared(noisy(at, 6, tests=4), noisy(at + 99, 6, tests=4), LIMIT).changed) for at in range(10))
    assert alarms <= 2


def test_a_machine_that_became_slower_is_told_once_and_of_no_single_test():
    came = compared(at_speeds(1, [1.0] * 10), at_speeds(2, [1.4] * 10), LIMIT)
    assert not came.changed
    assert verdicts(came, "") == {"cpu_seconds": "more", "duration": "more", "peak_memory": "same"}
    assert [each.test for each in came.broken] == [""]
    assert came.notes[0].startswith("cpu_seconds: all tests alike take 1.39")
    assert came.notes[0].endswith(
        " times as much, probably because of the machine; verdicts and limits of single tests use the adjusted ratio, "
        "which excludes this"
    )
    single = next(each for each in came.differences if each.test == "t1")
    assert single.ratio == single.after / single.before == pytest.approx(1.4, abs=0.05)
    assert single.adjusted == pytest.approx(1, abs=0.05)
    assert single.common == pytest.approx(1.4, abs=0.05)


def test_a_slower_test_is_found_on_a_machine_that_is_as_fast_as_it_pleases():
    draw = random.Random(3)
    speeds = [[draw.uniform(0.7, 1.4) for _ in range(10)] for _ in range(2)]
    came = compared(at_speeds(1, speeds[0]), at_speeds(2, speeds[1], slower=1.2), LIMIT)
    assert verdicts(came)["cpu_seconds"] == "more"
    assert {each.test for each in came.changed} == {"t0"}


def test_where_most_tests_became_slower_the_others_are_not_less():
    after = [made.assign(cpu_user_s=[0.15] * 15 + [0.1] * 5) for made in noisy(2, 10)]
    came = compared(noisy(1, 10), after, LIMIT)
    assert not [each for each in came.changed if each.measure.name == "cpu_seconds"]
    assert verdicts(came, "")["cpu_seconds"] == "more"


def test_a_few_tests_have_nothing_in_common():
    came = compared(at_speeds(1, [1.0] * 10, tests=4), at_speeds(2, [1.4] * 10, tests=4))
    assert {each.test for each in came.changed} == {"t0", "t1", "t2", "t3"}


def test_of_single_runs_what_all_tests_have_in_common_is_taken_out_too():
    came = compared(at_speeds(1, [1.0]), at_speeds(2, [1.5], slower=1.5), LIMIT)
    assert {each.test for each in came.changed} == {"t0"}
    assert {each.test for each in came.broken} == {"", "t0"}


def test_single_runs_are_judged_by_their_ratio_and_it_is_said_that_this_is_a_guess():
    came = compared([run({"a": 0.1, "b": 0.1})], [run({"a": 0.2, "b": 0.101})], LIMIT)
    assert verdicts(came, "a")["cpu_seconds"] == "possibly more"
    assert [each.test for each in came.broken] == ["", "a"]
    said = "too few repetitions for a statistical test (1 and 1): judged by the ratio alone; "
    assert came.notes == [f"{said}at least four and four are needed, ten and ten are recommended"]


@pytest.mark.parametrize("times", [1, 10])
def test_a_difference_below_the_floor_is_none_and_too_small_to_judge(times):
    came = compared([run({"a": 0.001})] * times, [run({"a": 0.0013})] * times)
    assert not came.changed
    assert verdicts(came, "a") == {
        "cpu_seconds": "too small to judge", "duration": "too small to judge", "peak_memory": "same"
    }  # fmt: skip
    assert {row.verdict for row in rows(came.whole)} == {"too small to judge", "same"}


def test_figures_near_nothing_are_the_same():
    came = compared([run({"a": 1}, a={"memory_growth_MB": 0.0})], [run({"a": 1}, a={"memory_growth_MB": 0.004})])
    assert verdicts(came, "a")["peak_memory"] == "same"


@pytest.mark.parametrize("times", [1, 10])
def test_a_limit_is_not_judged_by_what_cannot_be_measured(times):
    came = compared([run({"a": 0.001, "b": 0.002})] * times, [run({"a": 0.0012, "b": 0.0024})] * times, LIMIT)
    assert not came.broken
    (found,) = limit_verdicts(came)
    text = "limit cpu_seconds>10%: not judged, 3 differences too small to judge (below 5.0 ms)"
    assert (found.is_kept, found.text) == (None, text)
    assert {row.verdict for row in rows(came.differences) if row.measure == "cpu_seconds"} == {"too small to judge"}
    assert closing_line(came) == "2 tests compared, 0 changed, 0 of 1 limit broken, 1 not judged"


def test_a_limit_that_some_figures_can_be_judged_by_says_how_many_cannot():
    came = compared([run({"a": 0.001, "b": 1.0})], [run({"a": 0.0012, "b": 1.01})], LIMIT)
    (found,) = limit_verdicts(came)
    text = "limit cpu_seconds>10%: passed, 2 figures within it, 1 difference too small to judge (below 5.0 ms)"
    assert (found.is_kept, found.text) == (True, text)


def test_what_failed_is_not_compared_and_the_outcome_is_told():
    after = [run({"a": 0.1, "b": 9.0}, b={"outcome": "failed"})]
    came = compared([run({"a": 0.1, "b": 0.1})], after, LIMIT)
    assert not verdicts(came, "b")
    assert came.changes.outcomes == [Change("b", "passed", "failed")]


def test_what_ran_under_another_load_is_not_compared():
    came = compared([run({"a": 0.1, "b": 0.1})], [run({"a": 0.1, "b": 0.5}, b={"load": "cpu=2"})], LIMIT)
    assert not verdicts(came, "b")
    assert came.changes.loads == [MixedLoadTest("b", None, {"": 1}, {"cpu=2": 1})]
    with pytest.raises(IncomparableError) as caught:
        compared([run({"a": 1})], [run({"a": 1}, a={"load": "cpu=2"})])
    assert str(caught.value) == "no test passed under the same load both in old and in new: nothing can be compared"


def test_of_runs_under_several_loads_those_under_the_same_one_are_compared_and_the_others_told():
    loaded, quiet = run({"a": 0.5, "b": 0.1}, a={"load": "cpu=2"}), run({"a": 0.1, "b": 0.1})
    came = compared([quiet, loaded, quiet, quiet], [loaded, quiet])
    assert verdicts(came, "a")["cpu_seconds"] == "same"
    assert next(each.counts for each in came.differences if each.test == "a") == (3, 1)
    assert came.changes.loads == [MixedLoadTest("a", "", {"": 3, "cpu=2": 1}, {"cpu=2": 1, "": 1})]
    (listed,) = named_tests(came)
    assert listed == ("compared under one load only", ["a: none, 3 of 4 runs -> 1 of 2 runs"])
    alone = compared([loaded, loaded], [loaded, quiet])
    assert next(each.counts for each in alone.differences if each.test == "a") == (2, 1)


def leaky(*leaks):
    """A run in which these tests leave 60 MiB behind, so that all after them have a peak that is higher."""
    made = run(dict.fromkeys("abcde", 0.1))
    grown = made["nodeid"].isin(leaks) * 60.0
    return made.assign(memory_growth_MB=0.5 + grown, peak_memory_MB=50 + grown.cumsum())


def test_a_leak_breaks_a_limit_for_the_test_that_leaks_and_for_no_later_one():
    came = compared([leaky()], [leaky("b")], parse_limits(["peak_memory>50MiB"]))
    assert [each.test for each in came.broken] == ["", "b"]
    assert {each.test for each in came.changed} == {"b"}
    assert "peak_resident" not in verdicts(came, "b")


def test_the_absolute_peak_is_compared_where_it_is_asked_for():
    came = compared([leaky()], [leaky("b")], parse_limits(["peak_resident>50MiB"]))
    assert [each.test for each in came.broken] == ["", "b", "c", "d", "e"]
    assert {each.measure.name for each in came.broken} == {"peak_resident"}


@pytest.mark.parametrize("is_old", [(True, False), (False, True), (True, True)])
def test_of_a_run_that_does_not_tell_the_growth_the_peak_is_compared_and_the_row_says_so(is_old):
    sides = [
        [made.drop(columns="memory_growth_MB") if old else made]
        for made, old in zip((leaky(), leaky("d")), is_old, strict=True)
    ]
    came = compared(*sides, parse_limits(["peak_memory>50MiB"]))
    assert [each.test for each in came.broken] == ["", "d", "e"]
    assert {row.measure for row in rows(came.broken)} == {"peak_memory (absolute)"}
    assert came.notes[0].startswith("peak_memory: the memory growth of tests is not known on both sides")
    assert "peak_memory>50MiB: d: 50.00 MiB -> 110.00 MiB (absolute), x2.20" in broken_limit_lines(came)


def test_old_runs_of_a_baseline_that_do_not_tell_the_growth_are_left_out_of_it_and_that_is_said():
    old = [leaky().drop(columns="memory_growth_MB"), leaky(), leaky()]
    came = compared(old, [leaky("b")], parse_limits(["peak_memory>50MiB"]))
    assert [each.test for each in came.broken] == ["", "b"]
    assert next(each.counts for each in came.broken) == (2, 1)
    assert came.notes[0] == "peak_memory: 1 of 3 runs of old lack this measure and are left out"


@pytest.mark.parametrize("times", [1, 10])
@pytest.mark.parametrize("slower", [1.04, 1.12, 1.2, 1.5])
def test_what_breaks_a_limit_is_never_called_the_same(times, slower):
    came = compared(noisy(1, times), noisy(2, times, slower), parse_limits(["cpu_seconds>1%", "duration>4ms"]))
    assert all(each.verdict in {"more", "possibly more"} for each in came.broken)
    assert all(row.verdict.startswith(("more, over", "possibly more, over")) for row in rows(came.broken))
    assert {each.test for each in came.broken} <= {"", *(each.test for each in came.changed)}


def test_the_ratio_is_that_of_the_figures_beside_it_and_the_adjusted_one_says_what_it_is_without():
    came = compared(at_speeds(1, [1.0]), at_speeds(2, [1.5], slower=1.5), LIMIT)
    row = next(each for each in rows(came.broken) if each.test == "t0")
    was, now = (float(cell.removesuffix(" ms")) for cell in (row.before, row.after))
    assert row.ratio == f"x{now / was:.2f}"
    adjusted, common = map(float, re.fullmatch(r"x([\d.]+) \(all tests x([\d.]+)\)", row.adjusted).groups())
    assert adjusted * common == pytest.approx(now / was, rel=0.02)
    (line,) = (line for line in broken_limit_lines(came) if "t0" in line)
    assert line == f"cpu_seconds>10%: t0: {row.before} -> {row.after}, {row.ratio}, adjusted {row.adjusted}"


def test_nothing_that_becomes_something_is_so_many_times_as_much_as_one_reads():
    came = compared([run({"a": 1}, a={"memory_growth_MB": 0.004})], [run({"a": 1}, a={"memory_growth_MB": 60.0})])
    (row,) = (row for row in rows(came.changed) if row.test == "a")
    assert (row.before, row.after, row.ratio) == ("0.00 MiB", "60.00 MiB", "xinf")


def test_what_a_test_was_repeated_under_is_not_compared():
    def repeated(seconds, slowed):
        loads = ["", "cpu=2", "", "cpu=2", "cpu=2", ""]
        return pd.concat([run({"a": slowed if load else seconds}, a={"load": load}) for load in loads])

    came = compared([repeated(0.1, 0.3)], [repeated(0.1, 0.9)], LIMIT)
    assert verdicts(came, "a")["cpu_seconds"] == "same"
    assert not came.broken
    assert verdicts(compared([repeated(0.1, 0.3)], [repeated(0.2, 0.3)]), "a")["cpu_seconds"] == "possibly more"
    other = pd.concat([run({"a": 0.3}, a={"load": "cpu=4"}), run({"a": 0.1})])
    assert not compared([repeated(0.1, 0.3)], [other]).changes.loads


def test_a_file_without_some_columns_is_compared_by_the_others():
    came = compared([run({"a": 0.1})], [run({"a": 0.1}).drop(columns=["load", "call_s"])])
    assert set(verdicts(came, "a")) == {"cpu_seconds", "peak_memory"}
    with pytest.raises(IncomparableError):
        compared([run({"a": 0.1})], [run({"a": 0.1}).drop(columns="outcome")])


def test_new_removed_and_renamed_tests_are_told():
    came = compared([run({"a.py::one": 1, "x": 1, "s": 1})], [run({"b.py::one": 1, "something": 1, "s": 1})])
    assert came.changes.renamed == [Change("a.py::one", "a.py::one", "b.py::one")]
    assert (came.changes.removed, came.changes.added) == (["a.py::one", "x"], ["b.py::one", "something"])


def test_machines_that_differ_are_told_and_what_kernels_keep_of_memory_is_not():
    assert not compared(
        [run({"a": 1})], [run({"a": 1})], (), (LAPTOP, LAPTOP | {"memory": {"total_GB": 15.9}})
    ).machines
    other = {"cpu": {"model": "B", "logical": 8}, "memory": {"total_GB": 64.0}}
    told = compared([run({"a": 1})], [run({"a": 1})], (), (LAPTOP, other)).machines
    assert told == ["CPU A -> B", "memory in GiB 16.0 -> 64.0"]
    assert compared([run({"a": 1})], [run({"a": 1})], (), (LAPTOP, None)).machines == ["no fingerprint of the second"]
    none = {"cpu": 5, "memory": [16.0]}
    told = compared([run({"a": 1})], [run({"a": 1})], (), (LAPTOP, none)).machines
    assert told == ["CPU A -> none", "CPUs 8 -> none", "memory in GiB 16.0 -> none"]


def test_a_figure_that_is_not_known_is_no_zero():
    unknown = {"a": {"peak_memory_MB": None, "memory_growth_MB": None}}
    came = compared([run({"a": 0.1}, **unknown)], [run({"a": 0.1})], parse_limits(["peak_memory>1%"]))
    assert "peak_memory" not in verdicts(came, "a")
    assert [each.text for each in limit_verdicts(came)] == [
        "limit peak_memory>1%: not judged, peak_memory was not measured on both sides"
    ]


def test_runs_with_nothing_in_common_cannot_be_compared():
    with pytest.raises(IncomparableError) as caught:
        compared([run({"a": 1})], [run({"b": 1})])
    assert str(caught.value) == "no test passed both in old and in new: nothing can be compared"


def test_a_series_is_of_one_host():
    runs = [pd.concat([run({"a": 0.1}), run({"a": far}).assign(host="far")]) for far in (0.5, 0.7)]
    found = series(runs)
    assert (found["cpu_seconds a"], found["cpu_seconds a on far"]) == ([0.1, 0.1], [0.5, 0.7])


def test_a_history_has_a_value_for_each_run_and_only_tests_that_passed_in_all():
    found = series([run({"a": 0.1, "b": 1}), run({"a": 0.2, "b": 1}, b={"outcome": "failed"})])
    assert found["cpu_seconds"] == pytest.approx([0.1, 0.2])
    assert found["cpu_seconds a"] == pytest.approx([0.1, 0.2])
    assert "cpu_seconds b" not in found


def test_broken_limits_are_told_first_then_what_is_more_then_what_is_less():
    before, after = {"less": 0.9, "more": 0.1, "over": 0.1}, {"less": 0.1, "more": 0.3, "over": 0.2}
    came = compared([run(before)], [run(after)], parse_limits(["cpu_seconds>150%"]))
    assert [(each.test, bool(each.broken)) for each in came.changed[:2]] == [("more", True), ("more", False)]
    assert [each.test for each in came.changed] == ["more", "more", "over", "over", "less", "less"]


def test_each_run_and_host_is_scaled_by_its_own_speed():
    def side(name, runs, *scores):
        speeds = [{host: speed_document(MachineSpeed(score, score)) for host, score in each.items()} for each in scores]
        return Side(name, runs, [{host: {"speed": each} for host, each in one.items()} for one in speeds])

    both = pd.concat([run({"t": 0.4}), run({"t": 0.2}).assign(host="far")], ignore_index=True)
    came = compare(
        side("old", [run({"t": 0.2})], {"": 10.0}),
        side("new", [run({"t": 0.1}), run({"t": 0.4}), both], {"": 20.0}, {"": 5.0}, {"": 5.0, "far": 10.0}),
        scale_by_speed=True,
    )
    found = {each.test: (each.before, each.after) for each in came.differences if each.measure.name == "cpu_seconds"}
    assert found["t"] == pytest.approx((0.2, 0.2))


def test_runs_without_tests_cannot_be_scaled():
    nothing = run({"t": 0.1}).iloc[:0]
    sides = (Side(name, [nothing], [{"": LAPTOP}]) for name in ("old", "new"))
    with pytest.raises(IncomparableError):
        compare(*sides, scale_by_speed=True)


@pytest.mark.parametrize(
    ("limit", "after", "kept", "words"),
    [
        ("cpu_seconds>10%", 1.0, True, "passed"),
        ("cpu_seconds>10%", 1.5, False, "failed"),
        ("read>10%", 1.5, None, "not judged"),
    ],
)
def test_each_limit_is_kept_broken_or_not_judged(limit, after, kept, words):
    limits = parse_limits([limit])
    (found,) = limit_verdicts(compared(noisy(1, 10), noisy(2, 10, slower=after), limits))
    assert found.is_kept is kept
    assert f": {words}, " in found.text
