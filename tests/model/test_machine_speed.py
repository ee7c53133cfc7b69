"""The scores of a machine in its fingerprint, and the ratio of two machines."""

from __future__ import annotations

import pytest

from pytest_twin.model.machine_speed import MachineSpeed, machine_speed, parse_speed, speed_document, speed_ratio

SCORES = MachineSpeed(12.5, 40.25)


def test_scores_are_read_as_they_were_written():
    assert machine_speed({"speed": speed_document(SCORES)}) == SCORES
    assert parse_speed(speed_document(SCORES)) == SCORES


@pytest.mark.parametrize(
    "document",
    [
        None, {}, "fast", {"work": "bz2 1"}, {"work": "another", "single": 1.0, "all": 2.0},
        {"work": "bz2 1", "single": 0.0, "all": 2.0}, {"work": "bz2 1", "single": float("inf"), "all": 2.0},
        {"work": "bz2 1", "single": "1", "all": 2.0}, {"work": "bz2 1", "single": True, "all": 2.0},
        {"work": "bz2 1", "single": float("nan"), "all": 2.0},
    ],
)  # fmt: skip
def test_what_is_no_score_of_this_work_is_unknown(document):
    assert machine_speed({"speed": document}) is None


def test_a_fingerprint_without_scores_is_of_unknown_speed():
    assert machine_speed(None) is None
    assert machine_speed({"cpu": {}}) is None


def test_a_machine_is_as_many_times_as_fast_as_its_score_is_higher():
    here = MachineSpeed(single=10.0, all=20.0)
    there = MachineSpeed(single=15.0, all=80.0)
    assert speed_ratio(there, here) == pytest.approx(1.5)
    assert speed_ratio(there, here, all_threads=True) == pytest.approx(4.0)
    assert speed_ratio(here, there) == pytest.approx(1 / 1.5)
