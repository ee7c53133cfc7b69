"""A run as a trace."""

import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from made_runs import MadeRun, busy_run, run_of_two_hosts

from pytest_twin.export._slice_nesting import ROUNDED_US, assign_tracks
from pytest_twin.export.chrome_trace import lines
from pytest_twin.model.event import END, GAP, PHASE, START


def trace(made):
    return json.loads("".join(lines(made.summary())))["traceEvents"]


def of_kind(found, kind):
    return [entry for entry in found if entry["ph"] == kind]


def test_tests_are_slices_with_their_figures(tmp_path):
    slices = {entry["name"]: entry for entry in of_kind(trace(busy_run(tmp_path)), "X")}
    slow = slices["tests/test_a.py::test_slow[1]"]
    assert (slow["ts"], slow["dur"]) == (500_000, 3_500_000)
    assert slow["args"] == {
        "outcome": "passed",
        "call_s": 3.5,
        "cpu_s": 0.75,
        "peak_memory_MB": 300.0,
        "load": "cpu=75%",
    }


def test_loads_are_slices_that_tell_what_was_asked_and_achieved(tmp_path):
    slices = [entry for entry in of_kind(trace(busy_run(tmp_path)), "X") if entry["cat"] == "disk"]
    assert [entry["name"] for entry in slices] == ["50MB/s"]
    told = slices[0]["args"]
    assert (told["asked"], told["achieved"], told["state"]) == ("50MB/s", "10.0MB/s", "abort")


def test_loads_of_a_kind_that_overlap_are_on_tracks_of_their_own(tmp_path):
    made = MadeRun(tmp_path).load("cpu", "1", 0, 2).load("cpu", "2", 1, 3).load("cpu", "3", 2.5, 4)
    found = trace(made)
    tracks = {entry["name"]: entry["tid"] for entry in of_kind(found, "X")}
    assert tracks["1"] == tracks["3"] != tracks["2"]
    names = [entry["args"]["name"] for entry in of_kind(found, "M")]
    assert names == ["tests", "loads", "host", "tests", "cpu", "cpu 2"]


def test_the_host_is_counters_at_the_times_at_which_it_changes(tmp_path):
    made = MadeRun(tmp_path).sampled(1, cpu_percent=lambda at: 50 if at < 0.5 else 60)
    counters = [entry for entry in of_kind(trace(made), "C") if entry["name"] == "CPU %"]
    assert [(entry["ts"], entry["args"]) for entry in counters] == [
        (0, {"tests": 20.0, "stress": 0.0, "rest": 30.0}),
        (500_000, {"tests": 20.0, "stress": 0.0, "rest": 40.0}),
    ]


def test_phases_and_notes_are_on_the_track_of_their_worker(tmp_path):
    made = MadeRun(tmp_path).test("t.py::test_a", 0, 2, worker="gw1")
    made.happened(0.5, START, PHASE, id="p1", target="warm-up", worker="gw1").happened(1, END, PHASE, id="p1")
    made.happened(1.5, "note", "note", detail="saved", worker="gw1")
    found = trace(made)
    tids = {entry["name"]: entry["tid"] for entry in found if entry["ph"] in "Xi"}
    assert len(tids) == 3
    assert len(set(tids.values())) == 1


def test_entries_are_in_the_order_of_time_and_none_has_a_negative_length(tmp_path):
    found = [entry for entry in trace(busy_run(tmp_path)) if entry["ph"] != "M"]
    assert all(one["ts"] <= other["ts"] for one, other in pairwise(found))
    assert all(entry.get("dur", 0) >= 0 for entry in found)


def crossing(found):
    """Pairs of slices of a track that overlap with neither within the other, of which readers leave one out."""
    pairs = []
    for track in {(entry["pid"], entry["tid"]) for entry in of_kind(found, "X")}:
        are_open = []
        for entry in [entry for entry in of_kind(found, "X") if (entry["pid"], entry["tid"]) == track]:
            are_open = [other for other in are_open if other["ts"] + other["dur"] > entry["ts"]]
            end = entry["ts"] + entry["dur"]
            pairs += [(other["name"], entry["name"]) for other in are_open if end > other["ts"] + other["dur"]]
            are_open.append(entry)
    return pairs


def test_tests_whose_times_are_rounded_into_each_other_are_beside_each_other(tmp_path):
    made = MadeRun(tmp_path).test("t.py::test_a", 0, 0.10003).test("t.py::test_b", 0.1, 0.2)
    found = trace(made)
    assert [(entry["ts"], entry["dur"], entry["tid"]) for entry in of_kind(found, "X")] == [
        (0, 100_000, 1),
        (100_000, 100_000, 1),
    ]
    assert crossing(found) == []


def test_what_goes_on_across_the_end_of_a_test_is_on_a_track_of_its_own(tmp_path):
    made = MadeRun(tmp_path).test("t.py::test_a", 0, 1, worker="gw0").test("t.py::test_b", 1, 2, worker="gw0")
    made.test("t.py::test_c", 0, 2, worker="gw1")
    made.happened(0.5, START, GAP, id="g1", detail="loads paused", worker="gw0").happened(1.5, END, GAP, id="g1")
    found = trace(made)
    assert crossing(found) == []
    names = {entry["tid"]: entry["args"]["name"] for entry in found if entry["name"] == "thread_name"}
    assert {entry["name"]: names[entry["tid"]] for entry in of_kind(found, "X")} == {
        "t.py::test_a": "gw0",
        "t.py::test_b": "gw0",
        "t.py::test_c": "gw1",
        "loads paused": "gw0 2",
    }


@given(st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 2000)), max_size=12))
def test_nothing_crosses_on_any_track_and_nothing_is_cut_by_more_than_its_ends_were_rounded(slices):
    entries = [{"ph": "X", "pid": 1, "ts": ts, "dur": dur, "name": f"{at}"} for at, (ts, dur) in enumerate(slices)]
    entries.sort(key=lambda entry: (entry["ts"], -entry["dur"]))
    before = [entry["dur"] for entry in entries]
    for entry, track in zip(entries, assign_tracks(entries), strict=True):
        entry["tid"] = track
    assert crossing(entries) == []
    assert all(0 <= was - entry["dur"] <= 2 * ROUNDED_US for was, entry in zip(before, entries, strict=True))


def test_each_host_has_processes_of_its_own_which_name_it(tmp_path):
    found = trace(run_of_two_hosts(tmp_path))
    names = {entry["pid"]: entry["args"]["name"] for entry in found if entry["name"] == "process_name"}
    assert sorted(names.values()) == [
        "far: host", "far: loads", "far: tests", "pytest's host: host", "pytest's host: loads", "pytest's host: tests",
    ]  # fmt: skip
    slices = {(names[entry["pid"]], entry["name"]) for entry in of_kind(found, "X")}
    assert slices == {
        ("pytest's host: tests", "t.py::test_here"),
        ("pytest's host: tests", "t.py::test_both"),
        ("pytest's host: loads", "2"),
        ("far: tests", "t.py::test_both"),
        ("far: tests", "t.py::test_there"),
        ("far: loads", "2"),
    }
    memory = [(names[entry["pid"]], entry["args"]["memory"]) for entry in found if entry["name"] == "Memory %"]
    assert {value for name, value in memory if name == "pytest's host: host"} == {30.0}
    assert all(value >= 60 for name, value in memory if name == "far: host")
    timed = [entry["ts"] for entry in found if entry["ph"] != "M"]
    assert timed == sorted(timed)


def test_every_entry_has_what_the_format_asks_of_its_kind(tmp_path):
    found = trace(busy_run(tmp_path))
    needed = {"M": {"args"}, "X": {"ts", "dur", "cat"}, "C": {"ts", "args"}, "i": {"ts", "s"}}
    assert {entry["ph"] for entry in found} == needed.keys()
    assert all(needed[entry["ph"]] | {"name", "pid", "tid"} <= entry.keys() for entry in found)
    assert all(isinstance(value, int) for entry in found for key, value in entry.items() if key in {"ts", "dur", "tid"})
    counted = [value for entry in of_kind(found, "C") for value in entry["args"].values()]
    assert counted
    assert all(isinstance(value, float) for value in counted)
    named = {(entry["pid"], entry["tid"]) for entry in found if entry["name"] == "thread_name"}
    assert {(entry["pid"], entry["tid"]) for entry in found if entry["ph"] in "Xi"} <= named
