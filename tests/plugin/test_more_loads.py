"""The fixture ``stress_load``, and loads of stress-ng in marks and schedules."""

from __future__ import annotations

import json
import shutil

import pytest
from inner_runs import WAITS

installed = pytest.mark.skipif(shutil.which("stress-ng") is None, reason="stress-ng is not installed")


def test_any_load_can_be_started_by_its_keywords(pytester, left):
    pytester.makepyfile(f"""{WAITS}
import pytest
from pytest_twin.loads.spec import LoadError

def test_it(stress_load):
    with stress_load(net="2MB/s", iops=20, fds=100, threads=20) as load:
        wait_until(lambda: load.achieved["sent_bytes"] > 0 and load.achieved.get("mean_latency_ms"))
    assert load.achieved["open_files"] == 100
    assert load.achieved["mean_latency_ms"] > 0

def test_wrong(stress_load):
    with pytest.raises(LoadError, match='did you mean "net"'):
        stress_load(nett=1)

@pytest.mark.parametrize("stress_load", [{{"threads": 5}}], indirect=True)
def test_param(stress_load):
    assert stress_load.achieved["threads"] == 5
""")
    pytester.runpytest().assert_outcomes(passed=3)
    assert sorted(left.loads("end")) == [
        ("files", "100"), ("iops", "20"), ("network", "2MB/s"), ("threads", "20"), ("threads", "5"),
    ]  # fmt: skip
    [files] = [row for row in left.load_rows("end") if row["type"] == "files"]
    assert files["achieved"] == "100"


@installed
def test_stressors_of_stress_ng_work_in_marks_beside_our_own(pytester, left):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.stress(threads=5)
        class TestIt:
            @pytest.mark.stress(engine="stress-ng", matrix=1, cache=1)
            def test_it(self): pass
    """)
    pytester.runpytest().assert_outcomes(passed=1)
    assert sorted(left.loads("end")) == [("stress-ng cache", "1"), ("stress-ng matrix", "1"), ("threads", "5")]


@installed
def test_stressors_of_stress_ng_work_in_schedules(pytester, left):
    event = {"duration": "1h", "engine": "stress-ng", "matrix": 1}
    pytester.path.joinpath("plan.json").write_text(json.dumps({"events": [event]}))
    pytester.makepyfile(f"{WAITS}\ndef test_it(): wait_for_event(event='start', type='stress-ng matrix')")
    pytester.runpytest("--twin-schedule=plan.json").assert_outcomes(passed=1)
    assert left.loads("end") == [("stress-ng matrix", "1")]


@installed
def test_a_stressor_that_it_lacks_is_told_before_any_test_runs(pytester):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.stress(engine="stress-ng", matrixx=1)
        def test_it(): pass
    """)
    said = "test_it: stress(matrixx): the installed stress-ng has no such stressor; did you mean"
    pytester.runpytest().stderr.fnmatch_lines([f"*{said}*"])


def test_without_the_program_it_is_told_before_any_test_runs(pytester, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    event = {"duration": "1s", "engine": "stress-ng", "matrix": 1}
    pytester.path.joinpath("plan.json").write_text(json.dumps({"events": [event]}))
    pytester.makepyfile("def test_it(): pass")
    result = pytester.runpytest_subprocess("--twin-schedule=plan.json")
    said = "plan.json: event e1: engine: stress-ng is not installed; install it (apt install stress-ng), or remove"
    result.stderr.fnmatch_lines([f"*{said}*"])
