"""The rows of profile.csv as responses."""

from __future__ import annotations

import pytest
from made_profiles import profile_rows

from pytest_twin.analysis.prediction.profiled_test import profiled_tests

FLAT = (1.0, 1.0, 1.0, 1.0, 1.0)


def test_each_test_has_its_responses_in_the_units_of_a_recording():
    (test,) = profiled_tests(profile_rows(cpu=(1.0, 1.1, 1.2, 1.3, 1.4), disk=(1.0, 1.0, 1.5, 1.5, 2.0)))
    assert (test.name, test.idle_s) == ("test_a.py::test_a", 0.1)
    assert test.responses["cpu"].loads == pytest.approx([0.0, 0.25, 0.5, 0.75, 1.0])
    assert test.responses["cpu"].slowdowns == pytest.approx([1.0, 1.1, 1.2, 1.3, 1.4])
    assert test.responses["disk"].loads == pytest.approx([0.0, 20e6, 40e6, 60e6, 80e6])


def test_a_level_that_was_not_measured_is_none():
    (test,) = profiled_tests(profile_rows(cpu=(1.0, 1.1, None, 1.3, None), membw=(1.0, None, None, None, None)))
    assert test.responses.keys() == {"cpu"}
    assert test.responses["cpu"].loads == pytest.approx([0.0, 0.25, 0.75])


def test_a_quota_is_no_load():
    assert profiled_tests(profile_rows(quota=FLAT))[0].responses == {}


def test_a_test_that_was_profiled_again_counts_once():
    rows = [*profile_rows(cpu=FLAT), *profile_rows("other", cpu=FLAT), *profile_rows(idle_s=0.3, cpu=FLAT)]
    assert [(test.name, test.idle_s) for test in profiled_tests(rows)] == [("test_a.py::test_a", 0.3), ("other", 0.1)]


def test_the_same_test_on_another_host_is_another_test():
    rows = [*profile_rows(cpu=FLAT), *({**row, "host": "far"} for row in profile_rows(cpu=FLAT))]
    assert [test.name for test in profiled_tests(rows)] == ["test_a.py::test_a", "test_a.py::test_a on far"]


@pytest.mark.parametrize(
    "damage",
    [
        {"slowdown": "nan"}, {"slowdown": "-1"}, {"slowdown": "0"}, {"level_percent": "x"}, {"slowdown": "1e999"},
    ],
)  # fmt: skip
def test_a_damaged_cell_is_not_measured(damage):
    rows = [row | damage if row["level_percent"] == "50" else row for row in profile_rows(cpu=FLAT)]
    assert len(profiled_tests(rows)[0].responses["cpu"].loads) == 4


@pytest.mark.parametrize("damage", [{"slowdown_low": "0"}, {"slowdown_low": "9"}, {"slowdown_high": ""}])
def test_a_damaged_interval_is_unknown(damage):
    rows = [row | damage if row["level_percent"] == "50" else row for row in profile_rows(cpu=FLAT)]
    assert profiled_tests(rows)[0].responses["cpu"].errors is None


def test_a_table_without_a_column_is_no_profile():
    with pytest.raises(
        ValueError, match=r"^has no column idle_s; give a run folder with profile\.csv, or such a file$"
    ):
        profiled_tests(
            [{name: each for name, each in row.items() if name != "idle_s"} for row in profile_rows(cpu=FLAT)]
        )
    assert profiled_tests([]) == []
