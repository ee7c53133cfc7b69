"""The amounts of loads in a frame of events."""

from __future__ import annotations

import pytest
from made_runs import MadeRun, busy_run

import pytest_twin
from pytest_twin.model import event


def test_events_have_requested_and_achieved_amounts_as_numbers(tmp_path):
    events = pytest_twin.load(busy_run(tmp_path).write()).events
    ends = events[events["event"].isin(["end", "abort"]) & events["target"].notna()]
    assert ends[["type", "asked", "achieved", "unit", "achieved_text"]].values.tolist() == [
        ["cpu", 75.0, 74.8, "%", "74.8%"], ["disk", 50.0, 10.0, "MB/s", "10.0MB/s"],
    ]  # fmt: skip
    starts = events[events["event"].eq("start") & events["target"].notna()]
    assert starts["asked"].tolist() == [75.0, 50.0]
    assert starts["achieved"].isna().all()


def test_events_of_tests_have_no_amounts(tmp_path):
    events = pytest_twin.load(MadeRun(tmp_path).test("t.py::test_a", 0.0, 1.0).write()).events
    assert events[["asked", "achieved", "unit", "achieved_text"]].isna().all(axis=None)
    assert events.dtypes[["asked", "achieved"]].astype(str).tolist() == ["float64"] * 2


def test_the_columns_of_amounts_are_in_the_place_of_the_text(tmp_path):
    names = list(pytest_twin.load(busy_run(tmp_path).write()).events)
    assert names == [
        *event.FIELDS[1 : event.FIELDS.index("achieved")], "asked", "achieved", "unit", "achieved_text", "detail",
    ]  # fmt: skip
    assert list(pytest_twin.load(tmp_path / "annotations.csv").events) == names
    (tmp_path / "annotations.csv").unlink()
    assert list(pytest_twin.load(tmp_path).events) == names


def test_the_columns_of_amounts_are_explained(tmp_path):
    meanings = pytest_twin.load(busy_run(tmp_path).write()).events.attrs["meanings"]
    assert meanings["asked"].startswith("Requested amount of a load")


@pytest.mark.parametrize("text", ["timestamp,type\n2026-01-01,cpu\n", "timestamp,event\n2026-01-01,note\n"])
def test_events_without_the_columns_of_loads_are_read_as_they_are(tmp_path, text):
    (tmp_path / "annotations.csv").write_text(text)
    assert len(pytest_twin.load(tmp_path).events) == 1
