"""What is told of a schedule before it is played."""

from pathlib import Path

import pytest

from pytest_twin.loads import disk_speed
from pytest_twin.loads.parser import parse_load
from pytest_twin.loads.schedule.schedule import Schedule, ScheduledLoad
from pytest_twin.stressors import find_kinds


@pytest.fixture
def told(monkeypatch, tmp_path):
    """What is told of such loads where a quick test wrote 500 MB/s; and how often that was tried."""
    tries = []
    monkeypatch.setattr(disk_speed, "measure_write_rate", lambda directory: tries.append(directory) or 500e6)

    def tell(*loads: dict[str, str], remarks=()) -> tuple[list[str], int]:
        events = tuple(ScheduledLoad(f"e{at}", 0, 1, parse_load(load, find_kinds())) for at, load in enumerate(loads))
        return list(disk_speed.schedule_remarks(Schedule(events, remarks=remarks), tmp_path)), len(tries)

    return tell


def test_a_rate_beyond_what_the_disk_wrote_is_told(told):
    assert told({"disk": "100MB/s"}, {"disk": "5GB/s"}, {"disk": "900MB/s"}) == ([
        "requests a disk rate of up to 5000 MB/s, but a quick test wrote 500 MB/s: less than requested may be achieved"
    ], 1)  # fmt: skip


def test_a_rate_within_it_is_not(told):
    assert told({"disk": "400MB/s"}) == ([], 1)


@pytest.mark.parametrize("load", [{"disk": "50MB/s"}, {"disk": "max"}, {"disk": "5GB"}, {"membw": "9GB/s"}, {"cpu": 1}])
def test_what_asks_for_no_high_rate_of_the_disk_tries_nothing(told, load):
    assert told(load) == ([], 0)


def test_how_recordings_were_read_is_told_too(told):
    assert told(remarks=("a", "b")) == (["a", "b"], 0)


def test_the_test_leaves_nothing_behind(tmp_path):
    assert disk_speed.measure_write_rate(tmp_path / "not" / "there") > 0
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_can_be_written_nothing_is_known():
    assert disk_speed.measure_write_rate(Path("/proc")) is None
