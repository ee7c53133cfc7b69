"""``--twin-schedule``."""

from __future__ import annotations

import json
import re

import pytest
from inner_runs import WAITS
from load_rows import is_kept_from_the_cpus

SLEEPS = "import time\ndef test_one(): time.sleep(0.5)\ndef test_two(): time.sleep(0.5)\n"
STARTS = f"{WAITS}\ndef test_one(): wait_for_event(event='start', type='cpu')\ndef test_two(): pass\n"
ENDS = f"""{WAITS}
def ended():
    return [row["id"] for row in rows("annotations.csv") if row["target"] and row["event"] in ("end", "abort")]
"""
LEGACY = [
    {"type": "memory_load", "duration_s": 30, "cmd": "python stressors\\mem_stress.py --step_mb 2 --steps 2 --sleep 5",
     "start": "2025-10-11T02:30:20"},
    {"type": "cpu_spike", "duration_s": 30, "cmd": "python stressors\\cpu_stress.py --procs 2 --duration 30",
     "start": "2025-10-11T02:30:00"},
    {"type": "disk_io", "duration_s": 20, "cmd": "python stressors/disk_stress.py --size_mb 4 --block_mb 1",
     "start": "2025-10-11T02:30:10"},
]  # fmt: skip


def schedule(pytester, events, **top):
    (pytester.path / "plan.json").write_text(json.dumps({**top, "events": events}))


def over(left):
    """The loads that are over, also those for which a slow machine was too late."""
    rows = [row for row in left.events if row["target"] and row["event"] in {"end", "abort"}]
    why = [row["detail"] for row in rows if row["event"] == "abort"]
    assert all(is_kept_from_the_cpus(each) or "its time was over" in each for each in why)
    return rows


def test_a_schedule_plays_once_from_the_first_test_on(pytester, left):
    schedule(
        pytester, [{"id": "a", "duration": "400ms", "cpu": 1}, {"id": "b", "after": "a", "duration": "400ms", "mem": 5}]
    )
    pytester.makepyfile(f"""{ENDS}
def test_one(): wait_until(lambda: "a" in ended())
def test_two(): wait_until(lambda: "b" in ended())
""")
    pytester.runpytest("--twin-schedule=plan.json").assert_outcomes(passed=2)
    assert list(dict.fromkeys(row["id"] for row in left.events if row["target"])) == ["a", "b"]
    assert [(row["id"], row["type"]) for row in over(left)] == [("a", "cpu"), ("b", "memory")]
    assert json.loads((left.folder / "schedule.json").read_text())["events"][1]["start"] == "0.4s"


def test_what_was_not_reached_is_annotated_so(pytester, left):
    schedule(pytester, [{"duration": "1h", "cpu": 1}, {"start": "1h", "duration": "1s", "mem": 5}])
    pytester.makepyfile(STARTS)
    result = pytester.runpytest("--twin-schedule=plan.json")
    assert left.loads("skip") == [("memory", "5")]
    result.stdout.fnmatch_lines([
        "twin: * plan.json: 2 loads over 3601.0 s, from the first test to the end of the last one",
        "not started before the end of the run: 1 mem",
        "the tests ended before the schedule: * s of 3601.0 s were played",
        "report: pytest-twin report twin-report",
    ])  # fmt: skip


def test_a_legacy_schedule_plays_unchanged_faster(pytester, left):
    (pytester.path / "legacy.json").write_text(json.dumps(LEGACY))
    pytester.makepyfile(f"{ENDS}\ndef test_one(): wait_until(lambda: len(ended()) == 3)\ndef test_two(): pass")
    pytester.runpytest("--twin-schedule=legacy.json", "--twin-schedule-speed=40").assert_outcomes(passed=2)
    notes = {row["id"]: json.loads(row["detail"])["note"] for row in over(left)}
    assert notes == {"e1": "memory_load", "e2": "cpu_spike", "e3": "disk_io"}


def test_a_toml_schedule_is_read_too(pytester, left):
    (pytester.path / "plan.toml").write_text('[[events]]\nduration = "1h"\ncpu = 1\n')
    pytester.makepyfile(STARTS)
    pytester.runpytest("--twin-schedule=plan.toml").assert_outcomes(passed=2)
    assert left.loads("end") == [("cpu", "1")]


def test_an_event_for_certain_tests_is_applied_only_while_they_run(pytester, left):
    schedule(
        pytester, [{"duration": "1h", "cpu": 1, "tests": "*::test_two"}, {"duration": "1h", "mem": 5, "tests": "none*"}]
    )
    pytester.makepyfile(f"""{WAITS}
def test_one(): pass
def test_two(twin_logger):
    wait_for_event(event="start", type="cpu")
    twin_logger.annotate("the end")
""")
    pytester.runpytest("--twin-schedule=plan.json").assert_outcomes(passed=2)
    [(began, ended)] = left.spans("cpu")
    assert left.spans("test")[0][1] <= began
    note = next(float(row["elapsed_s"]) for row in left.events if row["event"] == "note")
    assert began < note < ended  # at the end of the body
    assert left.loads("skip") == [("memory", "5")]


def test_a_schedule_anchored_to_tests_is_played_around_each_that_it_selects(pytester, left):
    schedule(pytester, [{"duration": "1h", "cpu": 1}, {"duration": "1h", "mem": 5, "tests": "*two*"}], anchor="test")
    pytester.makepyfile("def test_one(): pass\ndef test_two(): pass")  # after the loads that start at once
    pytester.runpytest("--twin-schedule=plan.json").assert_outcomes(passed=2)
    assert sorted(left.loads("end")) == [("cpu", "1"), ("cpu", "1"), ("memory", "5")]
    assert len({row["id"] for row in left.events if row["target"]}) == 3


def test_a_series_plays_one_after_another(pytester, left):
    schedule(pytester, [{"duration": "400ms", "cpu": 1}, {"duration": "1h", "mem": 5}], mode="series")
    pytester.makepyfile(f"{WAITS}\ndef test_one(): wait_for_event(event='start', type='memory')")
    pytester.runpytest("--twin-schedule=plan.json").assert_outcomes(passed=1)
    [later] = [float(row["elapsed_s"]) for row in left.events if (row["type"], row["event"]) == ("memory", "start")]
    assert later > next(float(row["elapsed_s"]) for row in left.events if row["type"] == "cpu")


def test_a_recording_can_be_replayed(pytester, left):
    (pytester.path / "prod.csv").write_text(
        "timestamp,value\n" + "".join(f"2026-01-01 00:0{n}:00,{10 * n}\n" for n in range(9))
    )
    schedule(pytester, [{"replay": "prod.csv", "speed": 1000}])
    pytester.makepyfile(f"{ENDS}\ndef test_one(): wait_until(ended)")
    pytester.runpytest("--twin-schedule=plan.json").assert_outcomes(passed=1)
    assert [(row["type"], row["target"]) for row in over(left)] == [("cpu", "prod.csv")]


@pytest.mark.fault("schedules")
def test_all_errors_of_a_bad_file_are_told_at_once_before_anything_starts(pytester):
    schedule(
        pytester, [{"duration": -5, "cpu": "50%"}, {"duration": "1s", "cpuu": 1}, {"duration": "1s", "mem": "lots"}]
    )
    pytester.makepyfile("open('it-was-imported', 'w').close()")
    result = pytester.runpytest("--twin-schedule=plan.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [
            "ERROR: plan.json: events[[]0[]].duration: -5 is below 0",
            'plan.json: events[[]1[]]: unknown key "cpuu"; did you mean "cpu"?',
            "plan.json: events[[]2[]].mem: 'lots' is not an amount; give an amount such as \"1GiB\", a share such as *",
        ]
    )
    assert not (pytester.path / "it-was-imported").exists()
    assert not (pytester.path / "twin-report").exists()


@pytest.mark.fault("schedules")
def test_nothing_in_a_schedule_is_executed(pytester):
    event = {**LEGACY[1], "cmd": "touch executed; python stressors/cpu_stress.py --procs $(touch executed)"}
    (pytester.path / "legacy.json").write_text(json.dumps([event]))
    result = pytester.runpytest("--twin-schedule=legacy.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert not (pytester.path / "executed").exists()


@pytest.mark.fault("schedules")
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "plan.json: is not JSON: line 1, column 1: expecting a value"),
        (b'{"events": [}', "plan.json: is not JSON: line 1, column 13: expecting a value"),
        (b"\xff\xfe{\x00", "*plan.json: is not UTF-8 text; save it as UTF-8"),
        (b'{"events": [], "events": []}', 'plan.json: key "events" appears twice in one object'),
        (b'{"events": [{"duration": NaN, "cpu": 1}]}', "plan.json: NaN is not a JSON number"),
        (b"[" * 100_000, "plan.json: is nested too deeply"),
    ],
)
def test_a_file_that_is_no_schedule_is_one_clear_line(pytester, content, message):
    (pytester.path / "plan.json").write_bytes(content)
    result = pytester.runpytest("--twin-schedule=plan.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert len(result.errlines) == 2  # an empty one behind it
    result.stderr.fnmatch_lines([f"ERROR: {message.replace('[', '[[]')}"])


def test_a_schedule_that_is_not_there_is_one_clear_line(pytester):
    result = pytester.runpytest("--twin-schedule=none.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {pytester.path / 'none.json'}: No such file or directory"])


def test_how_a_recording_was_read_is_told_before_the_tests(pytester, left):
    (pytester.path / "prod.csv").write_text("elapsed_s,disk_write_MB\n0,81000\n0.1,81001\n0.2,81001.5\n")
    schedule(pytester, [{"replay": "prod.csv"}])
    pytester.makepyfile(SLEEPS)
    result = pytester.runpytest("--twin-schedule=plan.json")
    remark = "disk_write_MB is a running total (81000 to 81001.5): its growth is read"
    result.stdout.fnmatch_lines([f"twin: plan.json: prod.csv: {remark}", "collected 2 items"])
    assert json.loads((left.folder / "schedule.json").read_text())["events"][0]["note"] == remark


def test_a_recording_may_stand_in_place_of_a_schedule(pytester):
    (pytester.path / "server.csv").write_text("elapsed_s,cpu_percent\n1,10\n2,20\n")
    pytester.makepyfile("def test_it(): pass")
    result = pytester.runpytest("--twin-schedule=server.csv", "--twin-dry-run")
    result.stdout.fnmatch_lines(["*for the session, 1 event in 2.0 s:*", "*0.000 s +2.000 s  replay=server.csv*"])


def test_a_dry_run_says_the_most_that_a_recording_asks_for(pytester):
    (pytester.path / "prod.csv").write_text("timestamp,value\n1764324000,25\n1764324001,50\n")
    schedule(pytester, [{"replay": "prod.csv"}])
    pytester.makepyfile(SLEEPS)
    result = pytester.runpytest("--twin-schedule=plan.json", "--twin-dry-run")
    result.stdout.fnmatch_lines(["*replay=prod.csv speed=1.0 (at most cpu=50%)  ?e1?"])


def loads_of_tests(left):
    return {row["nodeid"].rpartition("_")[2]: row["load"] for row in left.tests}


THREE = f"""{WAITS}
def test_one(): wait_for_event(event="start", type="cpu")
def test_two():
    wait_for_event(event="start", type="memory")
    wait_until(lambda: any(row["type"] == "cpu" and row["event"] != "start" for row in rows("annotations.csv")))
def test_three(): pass
"""


@pytest.mark.parametrize("flags", [(), pytest.param(("-n1",), marks=pytest.mark.slow)], ids=["alone", "xdist"])
def test_each_test_tells_the_loads_of_the_schedule_that_overlapped_it_and_only_those(pytester, left, flags):
    events = [{"duration": "1500ms", "cpu": "20%"}, {"duration": "1h", "mem": 5, "tests": "*test_two"}]
    schedule(pytester, events)
    pytester.makepyfile(THREE)
    pytester.runpytest_subprocess("--twin-schedule=plan.json", *flags).assert_outcomes(passed=3)
    found = loads_of_tests(left)
    assert found["one"] == "cpu=20%"
    assert set(found["two"].split()) == {"cpu=20%", "mem=5"}
    if not flags:  # a controller may hear of the end of a test after the next one has begun
        assert found["three"] == ""


@pytest.mark.slow
def test_a_schedule_around_a_test_is_told_by_its_name_and_a_digest_of_what_it_comes_to(pytester, left):
    def loads(events, *flags):
        schedule(pytester, events, anchor="test")
        pytester.runpytest("--twin-schedule=plan.json", *flags).assert_outcomes(passed=2)
        return loads_of_tests(left)

    pytester.makepyfile(SLEEPS)
    event = {"duration": "5s", "cpu": "10%", "tests": "*one"}
    first, again, other, faster = (
        loads([event]), loads([event]), loads([event | {"cpu": "20%"}]), loads([event], "--twin-schedule-speed=2"),
    )  # fmt: skip
    assert first == again
    assert re.fullmatch(r"plan\.json#[0-9a-f]{6}", first["one"])
    assert first["two"] == ""
    assert len({first["one"], other["one"], faster["one"]}) == 3


@pytest.mark.slow
def test_runs_under_other_schedules_are_not_compared_and_that_is_said(pytester):
    pytester.makepyfile(STARTS)
    for cpu in ("10%", "20%"):
        schedule(pytester, [{"duration": "1h", "cpu": cpu, "tests": "*::test_one"}])
        flags = ("--twin-save=main", "--twin-compare=main") if cpu == "20%" else ("--twin-save=main",)
        came = pytester.runpytest("--twin-schedule=plan.json", *flags)
    came.stdout.fnmatch_lines(
        [
            "under a different load, not compared: 1",
            "  *::test_one: cpu=10% -> cpu=20%",
            "1 test compared, *",
        ]
    )


@pytest.mark.slow
@pytest.mark.parametrize("anchor", ["session", "test"])
def test_of_a_long_schedule_every_load_counts_once_and_what_was_never_reached_is_a_row(pytester, left, anchor):
    schedule(pytester, [{"duration": "50ms", "cpu": "1%", "repeat": {"every": "10ms", "count": 20_000}}], anchor=anchor)
    pytester.makepyfile("import time\ndef test_one(): time.sleep(0.5)")
    result = pytester.runpytest("--twin-schedule=plan.json", "-Wignore")
    result.assert_outcomes(passed=1)
    loads = [row for row in left.events if row["type"] == "cpu" and row["event"] in {"end", "abort", "skip"}]
    [many] = [row for row in loads if not row["id"]]
    reached = sum(row["event"] != "skip" for row in loads)
    assert json.loads(many["detail"]) == {"reason": "not reached before the end", "loads": 20_000 - len(loads) + 1}
    assert many["test"] == ("" if anchor == "session" else left.tests[0]["nodeid"])
    result.stdout.fnmatch_lines([f"not started before the end of the run: {20_000 - reached} cpu"])
