"""The search for flaky tests: `--twin-flaky`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="constraints need Linux")

TWO_CPUS = pytest.mark.skipif(
    len(os.sched_getaffinity(0)) < 2 if sys.platform == "linux" else True, reason="cpus=1 takes nothing away here"
)
BREAKS = """
import os

def test_needs_two_cpus():
    assert len(os.sched_getaffinity(0)) > 1, "too few CPUs"

def test_holds():
    print("fine")
"""


def search(pytester, *words, seconds=15):
    return pytester.runpytest_subprocess("--twin-flaky", f"--twin-flaky-time={seconds}s", *words)


def verdicts(left):
    return {row["nodeid"].partition("::")[2]: row["verdict"] for row in left.rows("flaky.csv")}


@TWO_CPUS
@pytest.mark.slow
def test_a_test_that_breaks_on_one_cpu_is_found_with_the_command_that_reproduces_it(pytester, left):
    path = pytester.makepyfile(BREAKS)
    result = search(pytester, seconds=40)
    assert result.ret == 0
    assert verdicts(left)["test_needs_two_cpus"] == "breaks"
    assert verdicts(left)["test_holds"] != "breaks"
    command = f'pytest "{path.name}::test_needs_two_cpus" --twin-constrain cpus=1 --twin-repeat 10'
    result.stdout.fnmatch_lines(
        ["*= flaky tests =*", "*::test_needs_two_cpus breaks under constrain cpus=1: failed *, idle 0 of *"]
    )
    result.stdout.fnmatch_lines(["*too few CPUs*", f"    {command}"])
    rows = [row for row in left.rows("flaky.csv") if row["nodeid"].endswith("cpus") and row["is_decisive"] == "1"]
    assert [(row["condition"], row["command"]) for row in rows] == [("constrain cpus=1", command)]
    assert int(rows[0]["runs"]) == int(rows[0]["failures"]) >= 4
    assert float(rows[0]["q_value"]) <= 0.05
    failures = json.loads((left.folder / "flaky_failures.json").read_text())
    assert "too few CPUs" in failures[rows[0]["nodeid"]]["constrain cpus=1"]
    assert left.rows("tests.csv") == []


@TWO_CPUS
@pytest.mark.slow
@pytest.mark.parametrize(
    ("known", "status", "line"),
    [
        ("", 1, "FAILED --twin-flaky-fail: 1 test breaks and is not known"),
        ("# ours\n*::test_needs_two_cpus   # since May\n", 0, "*breaks under*"),
        ("a.py::test_gone\ntest_it.py\n", 0, "--twin-flaky-known: a.py::test_gone matches none of these tests"),
    ],
)
def test_a_session_fails_only_for_tests_that_are_not_known(pytester, known, status, line):
    pytester.makepyfile(test_it=BREAKS.partition("def test_holds")[0])
    (pytester.path / "known.txt").write_text(known)
    result = search(pytester, "--twin-flaky-fail", "--twin-flaky-known=known.txt", seconds=30)
    assert result.ret == status
    result.stdout.fnmatch_lines([line])


@pytest.mark.slow
def test_the_last_line_counts_the_tests_of_the_search(pytester):
    pytester.makepyfile("def test_it(): pass\ndef test_other(): pass")
    result = search(pytester, "-k", "other", seconds=3)
    result.stdout.fnmatch_lines(["*1 deselected, 1 searched in *"])


OTHERS = """
import os, pathlib, signal
state = []

def test_by_chance():
    counter = pathlib.Path(__file__).with_name("counter")
    number = int(counter.read_text()) if counter.exists() else 0
    counter.write_text(str(number + 1))
    assert number % 2

def test_first(): state.append(1)

def test_needs_the_first(): assert state

def test_crashes(): os.kill(os.getpid(), signal.SIGSEGV)

def test_skipped():
    import pytest
    pytest.skip("not here")
"""


@pytest.mark.slow
def test_other_verdicts_are_told_apart(pytester, left):
    pytester.makepyfile(OTHERS)
    result = search(pytester, seconds=25)
    found = verdicts(left)
    assert found["test_by_chance"] == "flaky by itself"
    assert found["test_needs_the_first"] == found["test_crashes"] == "cannot run alone"
    assert found["test_skipped"] == "not known"
    result.stdout.fnmatch_lines(["*::test_needs_the_first cannot run alone*"])
    errors = {row["nodeid"].partition("::")[2]: row["error"] for row in left.rows("flaky.csv") if row["error"]}
    assert errors["test_crashes"] == "the process of the test was killed by SIGSEGV"
    assert errors["test_skipped"] == "skipped"


@pytest.mark.slow
def test_a_test_that_hangs_is_killed_and_the_search_ends_in_time(pytester, left):
    pytester.makepyfile("import time\ndef test_hangs(): time.sleep(1000)\n")
    began = time.monotonic()
    result = search(pytester, seconds=12)
    assert result.ret == 0
    assert time.monotonic() - began < 250
    assert left.rows("flaky.csv")[0]["error"] == "did not end within 5.0 s"


LEAVES = """
import pathlib, subprocess, sys

def test_leaves_processes():
    with pathlib.Path(__file__).with_name("runs").open("a") as file:
        print("one", file=file)
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)", "WORD"])
    subprocess.Popen(  # a tree of which each level becomes the search's own only when the one above is killed
        [sys.executable, "-c", "import os, time; [os.fork() for _ in range(5)]; time.sleep(1000)", "WORD"],
        start_new_session=True,
    )
    subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(1000)", "WORD"], start_new_session=True
    )
"""


def remaining(word):
    return [each for each in psutil.process_iter(["cmdline"]) if word in (each.info["cmdline"] or ())]


@pytest.mark.slow
def test_no_process_that_a_test_has_started_outlives_the_search(pytester, left, eventually):
    word = f"left-by-a-search-{pytester.path}"
    pytester.makepyfile(LEAVES.replace("WORD", word))
    search(pytester, seconds=5)
    assert int(left.rows("flaky.csv")[0]["runs"]) >= 1
    eventually(lambda: not remaining(word))  # they are killed; the kernel may take a moment


KEEPS_STDOUT = """
import os, sys

stream = sys.stdout

def test_writes_to_a_stream_of_its_import():
    print("to the stream", file=stream, flush=True)
    os.write(1, b"to the descriptor")
    assert len(os.sched_getaffinity(0)) > 1, "too few CPUs"

def test_fails():
    print("to its", "stdout")
    print("to the stream", file=stream, flush=True)
    assert False
"""


@TWO_CPUS
@pytest.mark.slow
@pytest.mark.parametrize("capture", ["fd", "sys", "tee-sys", "no"])
def test_a_stream_that_a_module_has_taken_at_its_import_stays_open(pytester, left, capture):
    pytester.makepyfile(KEEPS_STDOUT)
    result = search(pytester, f"--capture={capture}", seconds=6)
    rows = {row["nodeid"].partition("::")[2]: row for row in left.rows("flaky.csv") if row["condition"] == "idle"}
    assert rows["test_writes_to_a_stream_of_its_import"]["failures"] == "0"
    assert rows["test_fails"]["error"] == "assert False"
    assert "to the" not in result.stdout.str().partition("flaky tests")[0]
    failures = json.loads((left.folder / "flaky_failures.json").read_text())
    text = next(report["idle"] for name, report in failures.items() if name.endswith("test_fails"))
    assert ("to its stdout" in text) == (capture != "no")


ORPHAN = """
import os, subprocess, sys, time

def test_waits_for_an_orphan():
    program = "import subprocess; print(subprocess.Popen(['sleep', '0.2']).pid, flush=True)"
    pid = int(subprocess.run([sys.executable, "-S", "-c", program], stdout=subprocess.PIPE, check=True).stdout)
    until = time.monotonic() + 4
    while os.path.exists(f"/proc/{pid}"):
        assert time.monotonic() < until, "it is still there"
        time.sleep(0.01)
"""


@pytest.mark.slow
def test_a_process_whose_parent_has_ended_is_gone_when_it_ends(pytester, left):
    pytester.makepyfile(ORPHAN)
    search(pytester, seconds=5)
    idle = next(row for row in left.rows("flaky.csv") if row["condition"] == "idle")
    assert int(idle["runs"]) >= 1
    assert idle["failures"] == "0", idle["error"]


@pytest.mark.slow
def test_an_interrupted_search_reports_what_it_knows(pytester, left, eventually):
    word = f"left-by-an-interrupted-search-{pytester.path}"
    pytester.makepyfile(LEAVES.replace("WORD", word))
    runs = pytester.path / "runs"
    words = [sys.executable, "-m", "pytest", "--twin-flaky", "--twin-flaky-time=5m", "-p", "no:cacheprovider"]
    with subprocess.Popen(words, cwd=pytester.path, stdout=subprocess.PIPE, text=True) as process:
        eventually(lambda: runs.exists() and len(runs.read_text().split()) >= 10, 60)  # more than are made at once
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == pytest.ExitCode.INTERRUPTED
    assert "flaky tests" in output
    assert left.rows("flaky.csv")
    eventually(lambda: not remaining(word))


@pytest.mark.slow
def test_a_search_that_is_killed_leaves_what_it_knew_some_time_before(pytester, left):
    pytester.makepyfile(BREAKS)
    words = [sys.executable, "-m", "pytest", "--twin-flaky", "--twin-flaky-time=5m", "-p", "no:cacheprovider"]
    with subprocess.Popen(words, cwd=pytester.path, stdout=subprocess.DEVNULL) as process:
        until = time.monotonic() + 120
        while not (left.folder / "flaky.csv").exists() and process.poll() is None and time.monotonic() < until:
            time.sleep(0.1)
        process.kill()
    assert "test_holds" in verdicts(left)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["-n", "2"], "*--twin-flaky runs the tests in processes of its own; add -n 0 to leave pytest-xdist out*"),
        (["--pdb"], "*--twin-flaky cannot be combined with --pdb: its tests have no terminal*"),
        (["--twin-profile"], "*--twin-flaky cannot be combined with --twin-profile: choose one of them*"),
        (["--twin-repeat=3"], "*--twin-flaky cannot be combined with --twin-repeat: choose one of them*"),
        (["--twin-flaky-known=none.txt"], "*--twin-flaky-known: none.txt: No such file or directory*"),
        (["--twin-flaky-time=soon"], "*--twin-flaky-time: 'soon' *"),
    ],
)
def test_a_search_that_is_not_possible_is_refused_before_it_starts(pytester, words, line):
    pytester.makepyfile("def test_it(): pass")
    result = pytester.runpytest_subprocess("--twin-flaky", *words)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([line])
    assert not (pytester.path / "twin-report").exists()


def test_nothing_is_run_where_tests_are_only_collected(pytester):
    pytester.makepyfile("def test_it(): assert False")
    result = pytester.runpytest_subprocess("--twin-flaky", "--collect-only")
    assert result.ret == 0
    assert "flaky tests" not in result.stdout.str()
