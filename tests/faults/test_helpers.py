"""A stressor, the supervisor or the sampler dies, or cannot start."""

from __future__ import annotations

import sys

import pytest

from pytest_twin import supervisor as supervisors
from pytest_twin.layout import ANNOTATIONS
from pytest_twin.model.load import parse
from pytest_twin.recording import Recording
from pytest_twin.run_folder import RunFolder
from pytest_twin.supervisor import kinds

pytestmark = [
    pytest.mark.fault("helpers"),
    pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals"),
]

LOAD = parse({"cpu": 1}, kinds())


@pytest.fixture
def recording(tmp_path):
    with Recording(RunFolder(tmp_path / "report"), 0.1) as recording:
        yield recording


def told(recording) -> list[tuple[str, str]]:
    return [(row["event"], row["type"]) for row in recording.folder.rows(ANNOTATIONS) if row["target"]]


def kill(recording):
    recording._supervisor._process.kill()
    recording._supervisor._process.wait()


def test_a_supervisor_that_dies_aborts_its_loads_with_the_reason_and_the_next_load_gets_another(recording):
    with recording.loaded(LOAD) as (applied,):
        kill(recording)
        applied._ended.wait(10)
    assert applied.failed == "the supervisor died (exit status -9)"
    with recording.loaded(LOAD) as (applied,):
        assert applied.ready_at is not None
    assert applied.failed == ""
    assert told(recording) == [("start", "cpu"), ("abort", "cpu"), ("start", "cpu"), ("end", "cpu")]


def test_a_supervisor_that_died_between_two_loads_is_no_matter(recording, eventually):
    for _ in range(3):
        with recording.loaded(LOAD) as (applied,):
            assert applied.ready_at is not None
        kill(recording)
    eventually(lambda: recording._supervisor.pid is None)
    assert told(recording) == 3 * [("start", "cpu"), ("end", "cpu")]


def test_a_supervisor_that_is_killed_while_it_answers_holds_up_nobody(recording):
    for _ in range(5):
        recording._supervisor.start()
        process = recording._supervisor._process
        applied = recording.apply(LOAD.parts[0])
        process.kill()
        applied.wait_ready()
        applied.stop()
    assert {event for event, _ in told(recording)} <= {"start", "end", "abort"}


def test_a_supervisor_that_cannot_start_aborts_the_load_with_the_reason(recording, monkeypatch):
    monkeypatch.setattr(supervisors.sys, "executable", "/no/such/python")
    with recording.loaded(LOAD) as (applied,):
        assert applied.ready_at is None
    assert applied.failed == "the supervisor cannot be started: No such file or directory"
    assert told(recording) == [("abort", "cpu")]


def test_a_load_without_a_supervisor_is_a_warning_and_the_test_goes_on(run):
    body = (
        "import pytest, sys\nfrom pytest_twin import supervisor\n"
        "@pytest.fixture\ndef gone(monkeypatch): monkeypatch.setattr(supervisor.sys, 'executable', '/no/such/python')\n"
        "@pytest.mark.stress(cpu=1)\ndef test_it(gone): pass\n"
    )
    _, status, said = run(body)
    assert status == 0
    assert "cpu=1: the supervisor cannot be started: No such file or directory" in said


def test_a_sampler_that_cannot_start_is_one_usage_error_before_any_test(run, tmp_path):
    (tmp_path / "conftest.py").write_text("import sys\nsys.executable = '/no/such/python'\n")
    left, status, said = run("def test_it(): open('it-ran', 'w').close()", "--twin")
    assert status == pytest.ExitCode.USAGE_ERROR
    assert "ERROR: the sampler cannot be started: No such file or directory\n" in said
    assert "Traceback" not in said
    assert not (left.folder / "it-ran").exists()
