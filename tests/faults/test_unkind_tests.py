"""Tests that change the process which they run in, and with it ours."""

from __future__ import annotations

import sys

import pytest
from runs import seconds_until_gone

pytestmark = [
    pytest.mark.fault("unkind tests"),
    pytest.mark.skipif(sys.platform != "linux", reason="finds the processes in /proc"),
]

IGNORES = """import pytest, signal

def test_ignores(): signal.signal(signal.SIGCHLD, signal.SIG_IGN)

@pytest.mark.parametrize("time", range(2))
@pytest.mark.stress(cpu=2, mem="1MiB")
def test_next(time): pass
"""


def test_where_the_ends_of_children_are_ignored_loads_end_as_ever(run):
    done, status, said = run(IGNORES)
    assert status == 0, said
    assert sorted(done.loads("end")) == 2 * [("cpu", "2")] + 2 * [("memory", "1MiB")]
    assert done.loads("abort") == []
    seconds_until_gone(done)


FORKS = """import os, pytest, sys, time

@pytest.mark.stress(cpu=1)
def test_forks(stress_mem):
    stress_mem("1MiB")
    fork = os.fork()
    if not fork: {fork}
    assert os.waitstatus_to_exitcode(os.waitpid(fork, 0)[1]) == {status}

@pytest.mark.stress(cpu=1)
def test_next(): time.sleep(0.3)
"""
WAYS = {"sys.exit": ("sys.exit(0)", 1), "pytest.exit": ("pytest.exit('enough', 3)", 3), "os._exit": ("os._exit(0)", 0)}


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_a_fork_that_goes_on_to_the_end_of_pytest_ends_nothing_of_the_run(run, way):
    fork, code = WAYS[way]
    done, status, said = run(FORKS.format(fork=fork, status=code), "--twin", "--twin-interval=0.02")
    assert status == 0, said
    assert "INTERNALERROR" not in said
    told = [(row["nodeid"].partition("::")[2], row["outcome"]) for row in done.tests]
    assert told.count(("test_forks", "passed")) == 1
    assert set(told) == {("test_forks", "passed"), ("test_next", "passed")}
    last = max(float(row["elapsed_s"]) for row in done.tests if row["nodeid"].endswith("next"))
    assert any(float(row["elapsed_s"]) > last for row in done.samples)  # the sampler goes on to the end
    assert ("memory", "1MiB") in done.loads("end")
    assert done.loads("abort") == []
    seconds_until_gone(done)


CLOSES = """import os, pytest, time

@pytest.mark.stress(cpu=1)
def test_before(): pass

def test_closes(): os.closerange(3, 1000)

@pytest.mark.stress(cpu=1)
@pytest.mark.parametrize("number", range(3))
def test_after(number): time.sleep(0.2)
"""


@pytest.mark.slow
def test_a_test_that_closes_all_descriptors_holds_up_nobody_and_fails_no_other(run):
    done, _, said = run(CLOSES, "--twin", "-s", "-W", "default")  # pytest itself ends with an error then
    assert "5 passed" in said
    assert " rows could not be written" not in said  # their files were opened again
    assert "pytest_twin" not in said.rpartition("5 passed")[2]
    seconds_until_gone(done)


REMOVES = """import pathlib, pytest, shutil, time

@pytest.mark.stress(cpu=1)
def test_before(): time.sleep(0.3)

def test_removes(): {removes}

@pytest.mark.stress(cpu=1)
def test_after(twin_logger):
    twin_logger.annotate("after")
    time.sleep(0.3)
"""
ALL = "annotations.csv, tests.csv, system_metrics_dataset.csv"


@pytest.mark.parametrize(
    ("removes", "lost"),
    [
        ("shutil.rmtree('twin-report')", ALL),
        ("shutil.rmtree('twin-report'); pathlib.Path('twin-report').mkdir()", ALL),
        ("pathlib.Path('twin-report/tests.csv').unlink()", "tests.csv"),
    ],
    ids=["folder", "folder and made again", "file"],
)
@pytest.mark.parametrize("more", [(), pytest.param(("-p", "xdist.plugin", "-n2"), marks=pytest.mark.slow)], ids=str)
def test_a_report_directory_that_is_removed_meanwhile_is_told_of(run, removes, lost, more):
    body = REMOVES.format(removes=removes)
    reports = ["--twin-report=md", "--twin-json=run.json", "--twin-per-test=all"]
    done, status, said = run(body, "--twin", *reports, *more)
    assert status == 0, said
    assert f"warning: moved or removed during the run, with all rows: {lost}\n" in said
    assert "Traceback" not in said
    seconds_until_gone(done)
