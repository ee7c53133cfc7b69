"""What a run comes to."""

import json
import math
from collections import Counter

import pytest

from pytest_twin.analysis.run.load_lines import LoadLine, loads, skipped
from pytest_twin.analysis.run.overview import CostRanking, cpu_s, growth_MB, leaks, written_MB
from pytest_twin.model.event import ABORT, END, FIELDS, NOTE, SKIP, START
from pytest_twin.report.load_shortfall import achieved_amounts, fold_alike, load_troubles


def row(event, kind="cpu", target="cpu=75%", achieved="", detail=""):
    text = detail if isinstance(detail, str) else json.dumps(detail)
    return {
        **dict.fromkeys(FIELDS, ""),
        "event": event,
        "type": kind,
        "target": target,
        "achieved": achieved,
        "detail": text,
    }


def rank(tests, cost=cpu_s, count=3):
    ranking = CostRanking(cost, count)
    for test in tests:
        ranking.add(hash(test["nodeid"]), test)
    return ranking


def heaviest(tests, cost=cpu_s, count=3):
    return rank(tests, cost, count).best


def ran(nodeid, user="", system="", children=""):
    return {"nodeid": nodeid, "cpu_user_s": user, "cpu_system_s": system, "children_cpu_s": children}


def test_loads_of_the_same_words_are_one_line():
    rows = [
        row(START),
        row(END, achieved="74.9%", detail={"held_s": 2.5}),
        row(END, achieved="75.1%", detail={"held_s": 1.5}),
        row(END, achieved="74.9%", detail={"held_s": 1}),
    ]
    assert loads(rows) == [LoadLine("cpu", "cpu=75%", 3, ("74.9%", "75.1%"), 5.0, ())]


def test_a_load_that_the_end_of_the_run_cut_says_so_and_is_short_of_nothing():
    (line,) = loads([row(END, target="2GiB", detail={"held_s": 0.1, "reason": "stopped before it was ready"})])
    assert (line.troubles, line.achieved, line.lowest_share) == (("stopped before it was ready",), (), None)


@pytest.mark.parametrize(
    ("kind", "target", "achieved", "share"),
    [
        ("disk", "1TB", "5.0GB", 0.005), ("disk", "1GiB", "512.0MiB", 0.5), ("memory", "512", "256MiB", 0.5),
        ("cpu", "4", "1.00 cores", 0.25), ("disk", "50MB/s", "50.0MB", None),
        ("constraint", "cpu=0.5", "0.2 CPUs", None),
    ],
)  # fmt: skip
def test_amounts_are_compared_in_one_unit(kind, target, achieved, share):
    (line,) = loads([row(END, kind, target, achieved, {"held_s": 2})])
    assert line.lowest_share == (None if share is None else pytest.approx(share))


def test_a_ramp_is_judged_by_what_it_requested_over_its_time():
    ramp = {"held_s": 1, "cpu_s": 0.8, "asked_cpu_s": 0.81}
    short = {"held_s": 1, "cpu_s": 0.5, "asked_cpu_s": 1.0}
    (line,) = loads([row(END, target="10%", achieved="8.3%", detail=ramp)])
    assert line.lowest_share == pytest.approx(0.8 / 0.81)
    (line,) = loads([row(END, achieved="75%", detail=each) for each in (ramp, short)])
    assert line.lowest_share == 0.5


@pytest.mark.parametrize(
    ("asked_s", "held_s", "text", "lowest"),
    [
        (0.04, 0.4, "8.3% (held too short to judge)", None),
        (0.1, 1.0, "8.3%", 0.83),
    ],
)
def test_a_load_that_misses_less_than_a_tenth_of_a_second_was_held_too_short_to_judge(asked_s, held_s, text, lowest):
    figures = {"held_s": held_s, "cpu_s": 0.83 * asked_s, "asked_cpu_s": asked_s}
    (line,) = loads([row(END, target="10%", achieved="8.3%", detail=figures)])
    assert line.achieved == (text,)
    assert line.lowest_share == (None if lowest is None else pytest.approx(lowest))
    assert bool(load_troubles(line)) == (lowest is not None)


def test_troubles_that_differ_in_figures_are_told_once_and_only_some_amounts():
    reasons = [f"starved: achieved {share} % of the request (0.{share} of 1 s of CPU time)" for share in (70, 71, 5)]
    ends = [
        row(ABORT, target="100%", achieved=f"{70 + at}%", detail={"reason": each}) for at, each in enumerate(reasons)
    ]
    (line,) = loads([*ends, row(ABORT, target="100%", achieved="99%", detail={"reason": "it died"})])
    assert fold_alike(load_troubles(line)) == [f"{reasons[0]}, and 2 more like this", "it died"]
    assert achieved_amounts(line) == "70% to 99% (4 amounts)"


@pytest.mark.parametrize(
    ("kind", "achieved", "text"),
    [
        ("cpu", ["1.90 cores", "1.74 cores", "1.74 cores"], "1.90 cores, 1.74 cores"),
        ("constraint", ["0.1 CPUs", "0.09 CPUs", "0.5 CPUs", "0.098 CPUs"], "0.09 CPUs to 0.5 CPUs (4 amounts)"),
        ("constraint", ["0.2 CPUs, 9.0MiB", "9.5MiB", "0.1 CPUs, 1.0GiB", "0.3 CPUs, 9.0MiB"],
         "0.1 CPUs to 0.3 CPUs, 9.0MiB to 1.0GiB (4 amounts)"),
        ("memory", ["9.0MiB (9 % of its ramp)", "1.0GiB", "99.0MiB", "0.9GiB"],
         "9.0MiB (9 % of its ramp) to 1.0GiB (4 amounts)"),
        ("disk", ["120%", "1%", "", "99%", "101%"], "1% to 120% (4 amounts)"),
    ],
)  # fmt: skip
def test_of_many_achieved_amounts_the_range_is_told(kind, achieved, text):
    (line,) = loads([row(END, kind, "as asked", each, {"held_s": 2}) for each in achieved])
    assert achieved_amounts(line) == text


@pytest.mark.parametrize(("asked", "lowest"), [(49_283, None), (300_000, 0.0)])
def test_a_replay_that_misses_less_than_a_block_requested_too_little_to_judge(asked, lowest):
    figures = {"held_s": 3.8, "moved_bytes": 0, "asked_moved_bytes": asked}
    (line,) = loads([{**row(END, target="server.csv", achieved="0.0MB/s", detail=figures), "type": "disk"}])
    assert line.lowest_share == lowest
    assert line.achieved == ("0.0MB/s" if lowest is not None else "0.0MB/s (requested too little to judge)",)
    assert bool(load_troubles(line)) == (lowest is not None)


DAMAGED = ("?", "0x1", " ", None, -1, True, [], {}, float("nan"), float("inf"), 10**400, -(10**400))


@pytest.mark.parametrize("field", ["held_s", "moved_bytes", "asked_moved_bytes", "full_s"])
@pytest.mark.parametrize("damaged", DAMAGED, ids=lambda value: repr(value)[:9])
def test_a_load_with_a_damaged_figure_is_shown_without_it(field, damaged):
    figures = {"held_s": 1.0, "moved_bytes": 40_000, "asked_moved_bytes": 100_000, field: damaged}
    (line,) = loads([row(END, achieved="0.1MB/s", detail=figures)])
    assert line.achieved[0].startswith("0.1MB/s")
    assert math.isfinite(line.held_s)
    assert line.lowest_share is None or math.isfinite(line.lowest_share)
    load_troubles(line)


def test_amounts_that_no_load_can_have_are_not_compared():
    (line,) = loads([row(END, target="9" * 400, achieved="9" * 400, detail={})])
    assert line.lowest_share is None


@pytest.mark.parametrize(
    ("target", "achieved", "text"),
    [
        ("512MiB", "321.0MiB", "321.0MiB (99 % of its ramp)"),
        ("1GiB", "321.0MiB", "321.0MiB (99 % of its ramp)"),
        ("512MiB", "512.0MiB", "512.0MiB"),
        ("0%, 5s:60%", "30.0%", "30.0%"),
    ],
)
def test_what_a_load_achieved_within_its_ramp_says_so(target, achieved, text):
    figures = {"held_s": 1.2, "full_s": 0.0, "mean_resident_bytes": 99, "asked_mean_resident_bytes": 100}
    (line,) = loads([row(END, "memory", target, achieved, figures)])
    assert (line.achieved, line.lowest_share) == ((text,), pytest.approx(0.99))
    assert not load_troubles(line)


def test_an_old_load_is_judged_by_its_amounts_if_they_have_the_same_unit():
    shares = [
        loads([row(END, target=target, achieved=achieved)])[0].lowest_share
        for target, achieved in (("50%", "40%"), ("8", "1.74 cores"), ("max", "200MB/s"), ("50%", ""))
    ]
    assert shares == [0.8, pytest.approx(0.2175), None, None]


def test_loads_come_in_the_order_of_their_first_end():
    rows = [
        row(START, target="a"),
        row(END, target="b"),
        row(END, target="a"),
        row(END, kind="memory", target="b"),
        row(END, target="b"),
    ]
    assert [(line.type, line.target, line.times) for line in loads(rows)] == [
        ("cpu", "b", 2),
        ("cpu", "a", 1),
        ("memory", "b", 1),
    ]


def test_a_load_that_was_aborted_says_why():
    assert loads([row(ABORT, detail={"reason": "the worker was killed", "held_s": 1})]) == [
        LoadLine("cpu", "cpu=75%", 1, (), 1.0, ("the worker was killed",))
    ]


def test_a_load_that_was_reduced_says_to_what():
    assert loads([row(END, achieved="512.0MiB", detail={"reduced": "stopped at 512 MiB"})])[0].troubles == (
        "stopped at 512 MiB",
    )


@pytest.mark.parametrize("name", ["effective_cpus", "reduced"])  # the latter in old files
def test_a_constraint_within_a_tighter_one_has_no_trouble(name):
    (line,) = loads([row(END, "constraint", "cpu=0.25", "0.101 CPUs", {"held_s": 2.0, name: 0.1})])
    assert (line.achieved, line.troubles) == (("0.101 CPUs",), ())


def test_the_same_trouble_is_said_once():
    rows = [
        row(ABORT, detail={"reason": "no room"}),
        row(ABORT, detail={"reason": "no room"}),
        row(END, detail={"reduced": "less"}),
    ]
    assert loads(rows)[0].troubles == ("no room", "less")


@pytest.mark.parametrize("detail", ["", "text", "[1]", "5", "{", '{"held_s": null}'])
def test_a_detail_that_says_nothing_of_the_load_counts_as_no_time(detail):
    assert loads([row(END, detail=detail)])[0].held_s == 0


def test_an_abort_without_a_reason_has_no_reason_called_none():
    assert "None" not in loads([row(ABORT)])[0].troubles


@pytest.mark.parametrize("event", [START, SKIP, NOTE])
def test_only_what_ended_is_a_load(event):
    assert loads([row(event)]) == []


def test_the_end_of_a_test_is_no_load():
    assert loads([row(END, kind="test", target="")]) == []


def test_loads_that_were_not_reached_are_counted_by_type():
    assert skipped([row(SKIP), row(SKIP, kind="disk"), row(SKIP), row(END)]) == Counter(cpu=2, disk=1)
    assert skipped([row(SKIP), row(SKIP, detail={"reason": "not reached", "loads": 99})]) == Counter(cpu=100)


def test_the_heaviest_tests_are_those_with_most_cpu_seconds_children_included():
    light, heavy, heaviest_of_all = (
        ran("light", "1", "0.5", "0"),
        ran("heavy", "2", "0.5", "1"),
        ran("children", "0", "0", "9.25"),
    )
    assert heaviest([light, heavy, heaviest_of_all], count=2) == [(heaviest_of_all, 9.25), (heavy, 3.5)]


def test_a_counter_that_is_missing_adds_nothing():
    assert [cost for _, cost in heaviest([ran("a", "1", "", ""), ran("b"), ran("c", "", "", "0.5")])] == [1.0, 0.5]


def test_tests_of_the_same_cost_stay_in_their_order():
    tests = [ran(name, "1") for name in "abcd"]
    assert [test["nodeid"] for test, _ in heaviest(tests)] == ["a", "b", "c"]


def test_the_heaviest_by_memory_are_those_that_added_most_whatever_their_process_held():
    grown = (("a", "passed", "0.5"), ("b", "failed", "60"), ("c", "passed", ""))
    tests = [{"nodeid": name, "outcome": outcome, "memory_growth_MB": size} for name, outcome, size in grown]
    assert [(test["nodeid"], grown) for test, grown in heaviest(tests, growth_MB)] == [("b", 60), ("a", 0.5)]


def test_a_test_stands_out_by_a_large_amount_that_is_a_large_share_of_all():
    alike = [ran(f"t{number}", "1") for number in range(50)]
    large = ran("large", "30", "10")
    assert rank([*alike, large, large]).outstanding(0.1) == [(large, 40.0, 40 / 90)]
    assert rank(alike).outstanding(0.1) == []
    assert rank([ran("only", "0.04")]).outstanding(0.1) == []
    assert rank([{"nodeid": "a", "written_MB": ""}], written_MB).outstanding(10) == []


def test_the_memory_growth_of_an_interrupted_test_is_not_counted():
    assert growth_MB({"nodeid": "a", "outcome": "interrupted", "memory_growth_MB": "600"}) == 0


def test_a_leak_is_what_all_runs_of_a_test_left_behind_and_not_the_noise_of_an_allocator():
    kept = [("a", 9.0), ("b", 40.0), ("a", 9.0), ("noisy", 9.0), ("b", 20.5), ("c", None), ("freed", -60.0)]
    assert leaks(kept) == [("b", 60.5), ("a", 18.0)]


def test_a_run_of_nothing_comes_to_nothing():
    assert (loads([]), skipped([]), heaviest([])) == ([], Counter(), [])
