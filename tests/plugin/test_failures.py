"""What is kept of failed tests: failures.jsonl, and what stood out while they ran."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pytest_twin.model.attempt_failure import parse_failures
from pytest_twin.report.formats import summary_of
from pytest_twin.run_folder.layout import FAILURES

BURN = """
import time

def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        sum(range(500))
"""


# What the machine did in the time of a test, counted by the kernel and not by us.
MEASURED = """
import json
import time
from contextlib import contextmanager
from pathlib import Path

def counted():
    ticks = [int(text) for text in Path("/proc/stat").read_text().split("\\n")[0].split()[1:9]]
    counters = {"idle": ticks[3] + ticks[4], "stolen": ticks[7], "all": sum(ticks)}
    for name in ("io", "memory"):
        counters[name] = int(Path(f"/proc/pressure/{name}").read_text().split("total=")[1].split()[0])
    return counters

@contextmanager
def measured(name):
    before, began = counted(), time.monotonic()
    yield
    spent, lasted = {key: value - before[key] for key, value in counted().items()}, time.monotonic() - began
    shares = {key: spent[key] / spent["all"] for key in ("idle", "stolen")}
    waits = {key: spent[key] / 1e6 / lasted for key in ("io", "memory")}
    Path(name).write_text(json.dumps({**shares, **waits}))
"""
has_pressure = pytest.mark.skipif(not Path("/proc/pressure/io").exists(), reason="the kernel counts no pressure")


def failures(left):
    return parse_failures((left.folder / FAILURES).read_text(encoding="ascii"))


def explanations(left):
    return {key[1].partition("::")[2]: text for key, text in summary_of(left.folder).explanations.items()}


def test_message_short_traceback_and_output_of_each_failed_phase_are_kept(pytester, left):
    pytester.makepyfile("""
        import pytest

        @pytest.fixture
        def database():
            yield
            raise ConnectionError("the server is gone")

        def helper():
            assert [1] == [2], "</script>"

        def test_bad(database):
            print("was here")
            helper()

        def test_good(): pass
    """)
    pytester.runpytest("--twin", "--tb=no").assert_outcomes(failed=1, passed=1, errors=1)
    call, teardown = failures(left)
    assert (call.nodeid.partition("::")[2], call.attempt, call.phase) == ("test_bad", 1, "call")
    assert call.message == "AssertionError: </script>"
    assert call.traceback.splitlines()[1:4:2] == ["    helper()", '    assert [1] == [2], "</script>"']
    assert "in helper" in call.traceback
    assert "was here" in call.output
    assert (teardown.phase, teardown.message) == ("teardown", "ConnectionError: the server is gone")


@pytest.mark.parametrize("workers", [[], ["-n", "2"]])
def test_the_command_has_the_conditions_of_the_session_and_no_workers(pytester, left, workers):
    pytester.makepyfile("def test_bad(): assert 0")
    pytester.runpytest_subprocess("--twin-stress=cpu=1", *workers)
    (failure,) = failures(left)
    no_workers = " -n 0" if workers else ""
    file = f"{failure.nodeid.partition('::')[0]}::test_bad"
    assert failure.command == f'pytest "{file}"{no_workers} --twin'
    assert (failure.stress, failure.constrain) == ("cpu=1", "")
    assert failure.worker == next(test["worker"] for test in left.rows("tests.csv"))


def test_a_worker_that_died_is_a_failure_too(pytester, left):
    pytester.makepyfile("import os\ndef test_dies(): os._exit(3)")
    pytester.runpytest_subprocess("--twin", "-n", "1")
    (failure,) = failures(left)
    assert "crashed while running" in failure.traceback
    assert list(summary_of(left.folder).failures) == [failure.which]
    assert failure.which in summary_of(left.folder).explanations


def test_a_run_without_failures_has_no_such_file_and_the_next_run_removes_that_of_the_last(pytester, left):
    path = pytester.makepyfile("def test_bad(): assert 0")
    pytester.runpytest_subprocess("--twin")
    assert failures(left)
    path.write_text("def test_bad(): pass", encoding="utf-8")
    pytester.runpytest_subprocess("--twin")
    assert not (left.folder / FAILURES).exists()


def test_an_exception_that_cannot_be_shown_fails_no_other_test(pytester, left):
    pytester.makepyfile("""
        class Odd(Exception):
            def __str__(self): raise ValueError("no text")
            __repr__ = __str__

        def test_odd(): raise Odd
        def test_good(): pass
    """)
    pytester.runpytest("--twin").assert_outcomes(failed=1, passed=1)
    assert failures(left)[0].nodeid.endswith("::test_odd")


def test_a_damaged_line_is_left_out():
    lines = ['{"nodeid": "t.py::test_a", "attempt": 2, "phase": 7}', "[]", '{"nodeid": 3}', '{"nodeid": "torn']
    (failure,) = parse_failures("\n".join(lines))
    assert (failure.nodeid, failure.attempt, failure.phase) == ("t.py::test_a", 2, "")


def test_long_texts_are_bounded(pytester, left):
    pytester.makepyfile("""
        def test_long():
            print("x" * 100_000)
            raise ValueError("y" * 100_000)
    """)
    pytester.runpytest("--twin")
    (line,) = (left.folder / FAILURES).read_text(encoding="ascii").splitlines()
    assert len(line) < 40_000
    assert json.loads(line)["message"].startswith("ValueError: yyy")


# runs whose cause is known


def test_a_timeout_under_a_load_is_told_with_the_load(pytester, left):
    pytester.makepyfile(
        BURN
        + """
import pytest

@pytest.mark.stress(cpu=8)
def test_slow():
    burn(1.0)
    assert False, "too slow"
"""
    )
    pytester.runpytest_subprocess("--twin")
    assert explanations(left)["test_slow"].startswith("under cpu=8: machine ")
    assert "% of it the applied load" in explanations(left)["test_slow"]


def test_a_failure_under_a_quota_of_cpu_time_is_told_as_throttled(pytester, left):
    pytester.makepyfile(
        BURN
        + """
import pytest

@pytest.mark.constrain(cpu=0.2)
def test_slow():
    burn(0.3)
    assert False, "too slow"
"""
    )
    result = pytester.runpytest_subprocess("--twin")
    assert explanations(left)["test_slow"].startswith("under constrain cpu=0.2: throttled ")
    result.stdout.fnmatch_lines(["failed tests, and what stood out while they ran", "*under constrain cpu=0.2: thr*"])


@has_pressure
@pytest.mark.slow
def test_a_failure_beside_a_busy_disk_is_told_with_the_waits_for_it(pytester, left):
    pytester.makepyfile(
        MEASURED
        + """
import os
import threading
import pytest

def write(path, until):
    with open(path, "wb") as file:
        while time.monotonic() < until:
            file.write(b"x" * 262_144)
            file.flush()
            os.fsync(file.fileno())
            file.seek(0)

@pytest.mark.stress(disk="max")
def test_saves(tmp_path):
    with measured("waits.json"):
        until = time.monotonic() + 3
        writers = [threading.Thread(target=write, args=(tmp_path / str(number), until)) for number in range(4)]
        for writer in writers: writer.start()
        for writer in writers: writer.join()
    assert False, "saved too late"
"""
    )
    pytester.runpytest_subprocess("--twin")
    waited = json.loads((pytester.path / "waits.json").read_text())["io"]
    if waited < 0.3:
        pytest.skip(f"nothing waits for this disk: {waited:.0%} of the time")
    said = explanations(left)["test_saves"]
    assert said.startswith("under disk=max: ")
    assert re.search(r"the disk was busy, \d+ % of the time some task waited for it", said)


@has_pressure
def test_a_failure_on_a_quiet_machine_is_told_as_nothing_unusual_and_on_a_busy_one_it_is_not(pytester, left):
    pytester.makepyfile(
        MEASURED
        + """
import pytest

@pytest.mark.parametrize("number", range(3))
def test_adds(number):
    with measured(f"{number}.json"):
        time.sleep(0.8)
    assert number + 1 == number
"""
    )
    pytester.runpytest_subprocess("--twin")
    said = explanations(left)
    for number in range(3):
        measured, sentence = json.loads((pytester.path / f"{number}.json").read_text()), said[f"test_adds[{number}]"]
        others = max(measured["stolen"], measured["io"], measured["memory"])
        if measured["idle"] > 0.25 and others < 0.02:
            assert re.match(r"(nothing unusual; )?machine \d+ % busy; the test used \S+ m?s CPU in ", sentence)
            # with a CPU idle most of the time it may still wait for one, in between
            assert sentence.startswith("nothing unusual") != ("waited for a CPU" in sentence)
        elif measured["idle"] < 0.02:
            assert re.search(r"machine \d+ % busy, (nearly all|\d+ % of it) ", sentence)
            assert "nothing unusual" not in sentence


def test_too_short_a_failure_is_not_explained_by_what_the_machine_did(pytester, left):
    pytester.makepyfile("def test_bad(): assert 0")
    pytester.runpytest_subprocess("--twin-stress=cpu=4", "--twin-interval=1")
    assert "nothing unusual in its counters" in explanations(left)["test_bad"]
    assert "too few samples" in explanations(left)["test_bad"]


def test_the_terminal_tells_once_of_a_test_that_failed_in_many_repetitions(pytester):
    pytester.makepyfile(test_it="def test_bad(): assert 0\n\ndef test_other(): assert 0")
    lines = pytester.runpytest_subprocess("--twin", "--twin-repeat=4").outlines
    at = lines.index("failed tests, and what stood out while they ran")
    assert [line for line in lines[at:] if line.startswith("  test_it.py")] == [
        "  test_it.py::test_bad",
        "  test_it.py::test_other",
    ]
