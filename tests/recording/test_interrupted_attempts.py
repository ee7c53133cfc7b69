"""Tests that are interrupted where pytest-twin begins to account for them, counts, and ends."""

from __future__ import annotations

import time
from collections import Counter
from itertools import count

import pytest

from pytest_twin.recording.attempt import RecordedAttempt
from pytest_twin.recording.recording import Recording
from pytest_twin.run_folder.folder import RunFolder
from pytest_twin.run_folder.layout import ANNOTATIONS, TESTS
from pytest_twin.telemetry.process_counters import read_self
from pytest_twin.telemetry.sampler_config import SamplerConfig


@pytest.fixture
def recording(tmp_path):
    with Recording(RunFolder(tmp_path / "report"), SamplerConfig(1.0, has_tests=True), samples=False) as recording:
        yield recording


def attempts(recording):
    return Counter(row["nodeid"] for row in recording.folder.rows(TESTS))


def call(attempt):
    borders = attempt.begin_phase("call")
    borders += time.monotonic(), read_self()


@pytest.mark.parametrize("where", ["begin", "end"])
def test_wherever_an_attempt_is_interrupted_its_row_is_written_once(interrupted, recording, where):
    for at in count(0, 3):
        attempt = RecordedAttempt(recording, f"t{at}", 1)
        if where == "begin":
            go_on = interrupted(lambda attempt=attempt: call(attempt), at)
        else:
            call(attempt)
            attempt.finish()
            go_on = interrupted(lambda attempt=attempt: attempt.end(keep=False), at)
        attempt.finish()
        attempt.end(keep=False)
        if not go_on:
            break
    assert attempts(recording).keys() == {f"t{number}" for number in range(0, at + 1, 3)}
    twice = sum(number - 1 for number in attempts(recording).values()) - (
        where == "end"
    )  # the last was not interrupted
    assert twice <= 20  # a few instructions are between the writing and that it is known; it was 90
    assert all(float(row["cpu_user_s"] or 0) >= 0 for row in recording.folder.rows(TESTS))


@pytest.mark.parametrize("outcome", ["passed", "interrupted"])
def test_an_interrupted_test_is_not_said_to_keep_memory(recording, outcome):
    attempt = RecordedAttempt(recording, "t", 1)
    call(attempt)
    if outcome == "interrupted":
        attempt.interrupt()
    attempt.finish()
    attempt.end(keep=False)
    [row] = recording.folder.rows(TESTS)
    assert bool(row["memory_kept_MB"]) == (outcome == "passed" and bool(row["memory_before_MB"]))


def test_what_is_interrupted_before_it_has_begun_needs_no_end(recording, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(recording.process_counters, "begin_test", interrupt)
    with pytest.raises(KeyboardInterrupt):
        RecordedAttempt(recording, "t", 1)
    assert recording.folder.rows(ANNOTATIONS) == []
