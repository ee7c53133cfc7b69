"""The time for which a test waited for a CPU, beside what the kernel tells the test itself."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager, suppress
from types import SimpleNamespace

import pytest

from pytest_twin._system.procfs import ReopeningProcFile
from pytest_twin.plugin.load_context import load_around_test
from pytest_twin.recording.attempt import RecordedAttempt
from pytest_twin.recording.recording import Recording
from pytest_twin.run_folder.folder import RunFolder
from pytest_twin.run_folder.layout import TESTS as TESTS_FILE
from pytest_twin.telemetry.sampler_config import SamplerConfig

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="schedstat")

TESTS = """
import json, os, pathlib, time
import pytest

def waited_s():
    return int(pathlib.Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9

def note(value):
    name = os.environ["PYTEST_CURRENT_TEST"].partition("::")[2].partition(" ")[0]
    pathlib.Path(f"{name}.json").write_text(json.dumps(value))

@pytest.mark.stress(cpu=os.cpu_count())
def test_burns():
    before, until = waited_s(), time.thread_time() + 0.3
    while time.thread_time() < until:
        pass
    note(waited_s() - before)

def test_sleeps():
    before = waited_s()
    time.sleep(0.3)
    note(waited_s() - before)

def test_comes_last():
    note(waited_s())
"""


@pytest.fixture
def found(pytester, left):
    """Runs the tests, and returns what each test waited by tests.csv, and by what the test itself read."""

    def run(*options: str) -> tuple[list[float], list[float]]:
        pytester.makepyfile(TESTS)
        pytester.runpytest_subprocess("--twin", *options)
        assert [row["outcome"] for row in left.tests] == ["passed"] * 3
        rows = {row["nodeid"].rpartition("::")[2]: float(row["cpu_wait_s"]) for row in left.tests}
        names = ("test_burns", "test_sleeps", "test_comes_last")
        return [rows[name] for name in names], [
            json.loads((pytester.path / f"{name}.json").read_text()) for name in names
        ]

    return run


@pytest.mark.parametrize("options", [[], ["-n1"]], ids=["pytest", "a worker of pytest-xdist"])
def test_a_test_that_needs_a_busy_cpu_waits_and_one_that_sleeps_does_not(found, options):
    (burns, sleeps, _), (burnt, slept, in_all) = found(*options)
    assert burnt - 1e-6 <= burns > sleeps >= slept - 1e-6
    assert burns + sleeps <= in_all  # no wait is counted twice


def test_a_fork_counts_its_own_waits(found):
    pytest.importorskip("pytest_forked")
    (burns, sleeps, _), (burnt, slept, _) = found("--forked")  # of which 1.7.5 reports failures with pytest 9.2
    assert burnt - 1e-6 <= burns > sleeps >= slept - 1e-6


def test_the_wait_is_a_property_of_the_report(pytester, found):
    (burns, *_), _ = found("--junit-xml=junit.xml")
    assert f'<property name="twin_cpu_wait_s" value="{burns}"' in (pytester.path / "junit.xml").read_text()


def test_where_the_kernel_counts_no_waits_the_cell_is_empty_and_there_is_no_property(pytester, left, monkeypatch):
    def opened(path, lost):
        return ReopeningProcFile("/proc/self/none" if path.endswith("schedstat") else path, lost)

    monkeypatch.setattr("pytest_twin.telemetry.process_counters.ReopeningProcFile", opened)
    pytester.makepyfile("def test_it(): pass")
    pytester.runpytest_inprocess("--twin", "--junit-xml=junit.xml").assert_outcomes(passed=1)
    assert [row["cpu_wait_s"] for row in left.tests] == [""]
    text = (pytester.path / "junit.xml").read_text()
    assert "twin_cpu_s" in text
    assert "twin_cpu_wait_s" not in text


@pytest.mark.parametrize("fails", ["nothing", "body", "load"])
def test_waits_while_a_load_begins_and_ends_are_not_those_of_the_test(tmp_path, monkeypatch, fails):
    waited = [0]

    def schedstat():
        return b"1 %d 1\n" % (waited[0] * 10**9)

    @contextmanager
    def under_load(*_, **__):
        waited[0] += 1
        if fails == "load":
            raise ZeroDivisionError
        try:
            yield []
        finally:
            waited[0] += 10

    config = SamplerConfig(1.0, has_tests=True)
    with Recording(RunFolder(tmp_path / "report"), config, samples=False) as recording:
        fake = SimpleNamespace(read=schedstat, open_start=schedstat, close=lambda: None)
        monkeypatch.setattr(recording.process_counters, "_schedstat", fake)
        monkeypatch.setattr(recording, "under_load", under_load)
        attempt = RecordedAttempt(recording, "t", 1)
        waited[0] += 100
        with suppress(ZeroDivisionError), load_around_test(attempt, recording, [], None):
            waited[0] += 1000
            assert fails != "body" or 1 / 0
        waited[0] += 10000
        attempt.finish()
        attempt.end(keep=False)
        [row] = recording.folder.rows(TESTS_FILE)
    assert float(row["cpu_wait_s"]) == (10100 if fails == "load" else 11100)
