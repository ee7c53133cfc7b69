"""The rows of annotations.csv about loads, made from the replies of the supervisor."""

from __future__ import annotations

import json

import pytest

from pytest_twin.loads.applied import AppliedLoad
from pytest_twin.loads.validation import read_load
from pytest_twin.model.clock import Clock
from pytest_twin.recording.load_events import load_events


def test_a_load_that_is_cut_before_it_is_ready_has_both_rows_and_no_amount():
    (part,) = read_load({"mem": "64MiB"}).parts
    reply = {
        "event": "end", "at": 12.5, "began": 12.0, "since": None, "paused": 0.0,
        "reason": "stopped before it was ready", "achieved": {"resident_bytes": 5e6, "peak_bytes": 5e6},
    }  # fmt: skip
    start, end = load_events(AppliedLoad(None, "e1", part, "", ""), reply, Clock(10.0, 0.0), {})
    assert (start.event, start.elapsed_s, end.event, end.elapsed_s) == ("start", 2.0, "end", 2.5)
    assert end.achieved == ""
    assert json.loads(end.detail)["reason"] == "stopped before it was ready"


@pytest.mark.parametrize(
    ("keywords", "full_s"),
    [
        ({"mem": "64MiB"}, None),
        ({"mem": "64MiB", "ramp": "2s"}, 3.0),
        ({"mem": "64MiB", "ramp": "2s", "steps": 4}, 3.5),
        ({"mem": "64MiB", "ramp": "20s"}, 0.0),
        ({"mem": "64MiB", "stages": "1s:1MiB"}, None),
    ],
)
def test_the_end_of_a_ramp_says_for_how_long_the_whole_amount_was_requested(keywords, full_s):
    (part,) = read_load(keywords).parts
    reply = {"event": "end", "at": 15.0, "began": 9.0, "since": 10.0, "paused": 0.0, "reason": "stopped"}
    applied = AppliedLoad(None, "e1", part, "", "")
    (end,) = load_events(applied, {**reply, "achieved": {"peak_bytes": 5e6, "held_s": 5.0}}, Clock(10.0, 0.0), {})
    assert json.loads(end.detail).get("full_s") == full_s
