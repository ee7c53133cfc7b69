"""However a test or a run ends, its load ends with it."""

from __future__ import annotations

import sys

import pytest
from runs import seconds_until, seconds_until_gone

pytestmark = [
    pytest.mark.fault("endings"),
    pytest.mark.skipif(sys.platform != "linux", reason="finds the processes in /proc"),
]

SOFT = """import pytest, sys
pytestmark = pytest.mark.stress(cpu=1)

@pytest.fixture
def broken(): raise RuntimeError
@pytest.fixture
def breaks():
    yield
    raise RuntimeError

def test_passes(): pass
def test_fails(): assert False
def test_set_up(broken): pass
def test_teardown(breaks): pass
def test_exits(): sys.exit(3)
def test_last(): pass
"""


def test_a_load_ends_at_the_end_of_its_test_whatever_comes_of_it(run):
    left, status, _ = run(SOFT)
    assert status == pytest.ExitCode.TESTS_FAILED
    assert [row["outcome"] for row in left.tests] == ["passed", "failed", "error", "error", "failed", "passed"]
    ended = {}
    for row in left.events:
        if row["event"] in {"end", "abort"} and row["target"]:
            ended[row["test"]] = float(row["elapsed_s"])
        if (row["type"], row["event"]) == ("test", "end"):
            assert ended.get(row["test"], 0) <= float(row["elapsed_s"])
    assert len(ended) == 5  # where the set-up fails there is none
    seconds_until_gone(left)


HARD = {
    "pytest.exit": ("pytest.exit('enough', 3)", 3),
    "os._exit": ("os._exit(3)", 3),
    "segfault": ("ctypes.string_at(0)", -11),
    "abort": ("os.abort()", -6),
    "time-out": ("faulthandler.dump_traceback_later(3, exit=True); time.sleep(600)", 1),  # as pytest's own does it
    "pytest-timeout": ("time.sleep(600)", 1),
}
# its time begins before that of the load, which has to be there when it is over
FLAGS = {"pytest-timeout": ["-p", "pytest_timeout", "--timeout=10", "--timeout-method=thread"]}


@pytest.mark.slow
@pytest.mark.parametrize("how", HARD)
def test_a_run_that_ends_in_the_middle_of_a_test_leaves_no_load_and_tells_of_the_test(start, how):
    body, status = HARD[how]
    run = start(
        "import ctypes, faulthandler, os, pytest, time\n"
        f"@pytest.mark.stress(cpu=2, mem='20MiB')\ndef test_it(): {body}\n",
        *FLAGS.get(how, []),
    )
    assert run.wait()[0] == status
    seconds_until_gone(run)
    assert len(run.loads("start")) == 2
    assert len(run.loads("end")) == (2 if how == "pytest.exit" else 0)
    assert len(run.loads("abort")) == (0 if how == "pytest.exit" else 2)
    ((row,), (end,)) = run.tests, [each for each in run.events if each["id"] == "t1" and each["event"] != "start"]
    assert (row["attempt"], row["outcome"]) == ("1", "interrupted" if how == "pytest.exit" else "crashed")
    assert "mem=20MiB" in row["load"]
    assert float(end["elapsed_s"]) == pytest.approx(float(row["elapsed_s"]) + float(row["duration_s"]), abs=0.01)


def test_a_sampler_that_is_late_writes_nothing_into_the_run_that_came_after(start, eventually_gone):
    body = "import os, time\ndef test_it():\n    while not os.path.exists('enough'): time.sleep(0.01)\n"
    first = start(body, "--twin")
    seconds_until(lambda: any(row["type"] == "test" for row in first.events))
    (sampler,) = first.processes("sampler")
    sampler.suspend()
    first.kill("pytest")
    first.wait()
    (first.report / "annotations.csv").unlink()  # which the next run would do
    second = start("", "--twin")
    seconds_until(lambda: any(row["type"] == "test" for row in second.events))
    sampler.resume()
    eventually_gone([sampler])
    (second.folder / "enough").touch()
    assert second.wait()[0] == 0
    assert [row["outcome"] for row in second.tests] == ["passed"]
    assert [row["event"] for row in second.events if row["test"]] == ["start", "end"]
