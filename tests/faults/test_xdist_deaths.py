"""A worker of pytest-xdist dies, or its controller: the loads go with it, and what was recorded stays."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress

import psutil
import pytest
from runs import GONE_WITHIN_S, endless, seconds_until, seconds_until_gone

import pytest_twin
from pytest_twin.run_folder.folder import RunFolder
from pytest_twin.run_folder.layout import LOCK
from pytest_twin.run_folder.recovery import recover

pytest.importorskip("xdist")
pytestmark = [
    pytest.mark.fault("xdist"),
    pytest.mark.skipif(sys.platform != "linux", reason="finds the processes in /proc"),
]

LOADED = endless("cpu=1, mem='20MiB', shared=True", tests=2000)
FEW = """import os, pytest, time
ENDED = os.open("ended", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
ran = 0

@pytest.mark.parametrize("number", range(100))
@pytest.mark.stress(cpu=1, mem="20MiB", shared=True)
def test_loaded(number):  # each worker runs two, and begins a third
    global ran
    ran += 1
    time.sleep(0.05 if ran <= 2 else 600)
    os.write(ENDED, b"x")
"""


def is_below(worker: psutil.Process, process: psutil.Process) -> bool:
    """Whether a worker, or what it started, started a process; one that has ended meanwhile is nobody's."""
    try:
        return worker in process.parents()
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize(
    "roles",
    [("pytest",), ("worker",), pytest.param(("pytest", "worker"), marks=pytest.mark.slow)],
    ids=str,
)
def test_loads_end_at_once_and_what_was_recorded_stays(start, roles):
    run = start(LOADED, "-p", "xdist.plugin", "-n", "2", "--twin")
    seconds_until(lambda: run.ended() > 3 and len(run.processes("supervisor")) == 2)
    killed = run.processes(roles[-1])[0]
    ours = run.processes("stressor") + run.processes("supervisor")
    doomed = [each for each in ours if "pytest" in roles or is_below(killed, each)]
    assert doomed
    run.kill(*roles)
    seconds_until(lambda: not any(each in run.processes() for each in doomed), within=GONE_WITHIN_S)
    ended = run.ended()
    run.process.kill()
    seconds_until(lambda: not run.processes())  # a worker ends when pytest-xdist lets it
    assert len(run.tests) >= ended - 2  # one each
    assert sum((row["event"], row["type"]) == ("end", "test") for row in run.events) >= ended - 2
    assert run.samples


LONG = """import pytest, time

@pytest.mark.parametrize("number", range(4))
@pytest.mark.stress(cpu=1, shared=True)
def test_loaded(number): time.sleep(600)
"""
PATIENT = "from xdist.workermanage import NodeManager\nNodeManager.EXIT_TIMEOUT = 200  # s, by itself it is 10\n"


@pytest.mark.slow
@pytest.mark.parametrize("whom", ["controller", "all"])
def test_an_interrupt_ends_the_loads_of_workers_also_if_only_the_controller_got_it(start, tmp_path, whom):
    (tmp_path / "conftest.py").write_text(PATIENT)
    run = start(LONG, "-p", "xdist.plugin", "-n", "2", "--twin")
    seconds_until(lambda: len(run.loads("start")) == 2)
    if whom == "controller":
        run.process.send_signal(signal.SIGINT)
    else:
        os.killpg(run.process.pid, signal.SIGINT)
    seconds_until(lambda: not run.processes("stressor"), within=100)  # pytest-xdist would let the workers go on
    assert run.wait()[0] == pytest.ExitCode.INTERRUPTED
    seconds_until_gone(run)
    assert [row["outcome"] for row in run.tests] == ["interrupted"] * 2
    assert sorted(run.loads("start")) == sorted(run.loads("end") + run.loads("abort"))


EAGER = """import os, signal, time

class Interrupting:
    def pytest_collection_finish(self, session):
        if hasattr(session.config, "workerinput") and os.path.exists("interrupt"):
            os.kill(os.getppid(), signal.SIGINT)
            time.sleep(2)  # here its files are open, and it has not told the controller of its tests

def pytest_sessionstart(session):
    session.config.pluginmanager.register(Interrupting())  # last, so it is called before pytest-xdist
"""


def test_an_interrupt_before_the_controller_records_leaves_the_folder_as_it_was(start, tmp_path):
    def files() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in run.report.rglob("*") if path.is_file()}

    (tmp_path / "conftest.py").write_text(EAGER)
    flags = "-p", "xdist.plugin", "-n", "1", "--twin", "--twin-constrain=cpu=0.5"
    module = "import pytest\n@pytest.mark.stress(cpu='1%')\ndef test_it(): pass\n"
    run = start(module, *flags)
    assert run.wait()[0] == pytest.ExitCode.OK
    before = files()
    (tmp_path / "interrupt").touch()
    run = start(module, *flags)
    assert run.wait()[0] == pytest.ExitCode.INTERRUPTED
    seconds_until_gone(run)
    assert files() == before


def tables(run) -> list[str]:
    """What there is of tests and events, parts of workers included."""
    return sorted(path.name for kind in ("tests", "annotations") for path in run.report.glob(f"{kind}*.csv"))


def is_whole(run) -> bool:
    """Whether every test that began has a row, and all that began has ended."""
    started = [row["id"] for row in run.events if row["event"] == "start"]
    ended = [row["id"] for row in run.events if row["event"] in {"end", "abort"}]
    of_tests = [row for row in run.events if (row["event"], row["type"]) == ("start", "test")]
    return sorted(started) == sorted(ended) and len(run.tests) == len(of_tests)


def has_begun_the_third(run) -> bool:
    """Whether each of the two workers has."""
    return sum((row["event"], row["type"]) == ("start", "test") for row in run.events) == 6 and run.ended() == 4


@pytest.mark.slow
def test_of_a_run_that_is_killed_as_a_whole_the_sampler_completes_the_tables(start):
    """As a CI job does that ends, or that ran out of memory."""
    run = start(FEW, "-p", "xdist.plugin", "-n", "2", "--twin")
    seconds_until(lambda: has_begun_the_third(run))
    os.killpg(run.process.pid, signal.SIGKILL)
    seconds_until(lambda: not run.processes())
    assert tables(run) == ["annotations.csv", "tests.csv"]
    assert {row["outcome"] for row in run.tests} >= {"passed", "crashed"}
    assert {row["worker"] for row in run.tests} == {"gw0", "gw1"}
    assert is_whole(run)
    assert not (run.report / LOCK).exists()


@pytest.mark.slow
def test_where_the_sampler_is_killed_too_the_next_reader_completes_the_tables(start):
    run = start(FEW, "-p", "xdist.plugin", "-n", "2", "--twin")
    seconds_until(lambda: has_begun_the_third(run))
    recover(RunFolder(run.report))  # while it goes on
    assert len(tables(run)) == 6
    sampler = run.processes("sampler")
    os.kill(run.process.pid, signal.SIGSTOP)  # which would start another one
    for each in sampler:
        each.kill()
    os.killpg(run.process.pid, signal.SIGKILL)
    for each in run.processes():
        with suppress(psutil.NoSuchProcess):  # it ended meanwhile
            each.kill()
    seconds_until(lambda: not run.processes())
    assert len(tables(run)) == 6
    loaded = pytest_twin.load(run.report)
    assert tables(run) == ["annotations.csv", "tests.csv"]
    assert set(loaded.tests["outcome"]) >= {"passed", "crashed"}
    assert is_whole(run)
    before = run.tests
    pytest_twin.load(run.report)
    assert run.tests == before


@pytest.mark.slow
def test_tests_of_workers_that_lost_their_controller_have_a_row_each(start):
    run = start(LONG, "-p", "xdist.plugin", "-n", "2", "--twin")
    seconds_until(lambda: len(run.loads("start")) == 2)
    run.process.kill()
    seconds_until(lambda: not run.processes())
    assert tables(run) == ["annotations.csv", "tests.csv"]
    assert len(run.tests) == 2
    assert {row["outcome"] for row in run.tests} <= {"crashed", "interrupted"}
    assert is_whole(run)
