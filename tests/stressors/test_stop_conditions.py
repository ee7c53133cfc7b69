"""Conditions on samples: the last whole row of a file that grows."""

from __future__ import annotations

import pytest

from pytest_twin.stressors.supervisor.stop_conditions import DatasetTail, check_sample

ROW = {"cpu_percent": "50.0", "battery_percent": "", "text": "word"}


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        (("cpu_percent", ">", 49), "stop_when: cpu_percent is 50, > 49"),
        (("cpu_percent", ">", 50), ""),
        (("cpu_percent", ">=", 50), "stop_when: cpu_percent is 50, >= 50"),
        (("cpu_percent", "<", 50.5), "stop_when: cpu_percent is 50, < 50.5"),
        (("cpu_percent", "<=", 49), ""),
        (("battery_percent", "<", 10), ""),
        (("text", "<", 10), ""),
        (("missing", "<", 10), ""),
    ],
)
def test_a_condition_is_met_or_not(condition, said):
    assert check_sample([condition], ROW) == said


def test_the_first_condition_that_is_met_is_told():
    conditions = [
        ("cpu_percent", ">", 90),
        ("cpu_percent", ">", 40),
        ("cpu_percent", ">", 30),
    ]
    assert check_sample(conditions, ROW) == "stop_when: cpu_percent is 50, > 40"


def test_the_last_whole_row_is_the_latest(tmp_path):
    path = tmp_path / "samples.csv"
    path.write_text("a,b\n1,2\n3,4\n5,")
    assert DatasetTail(str(path)).latest() == {"a": "3", "b": "4"}


@pytest.mark.parametrize("text", ["", "a,b", "a,b\n", "a,b\n1,2,3\n"])
def test_where_there_is_no_whole_row_there_is_none(tmp_path, text):
    path = tmp_path / "samples.csv"
    path.write_text(text)
    assert DatasetTail(str(path)).latest() in ({}, {"a": "a", "b": "b"})


def test_a_file_that_comes_later_is_found(tmp_path):
    path = tmp_path / "samples.csv"
    samples = DatasetTail(str(path))
    assert samples.latest() == {}
    path.write_text("a\n" + "1\n" * 20_000)
    assert samples.latest() == {"a": "1"}
