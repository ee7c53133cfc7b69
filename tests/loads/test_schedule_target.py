"""What a schedule is to be like over time."""

from __future__ import annotations

import json

import pytest

from pytest_twin.loads.schedule.parser import parse_schedule
from pytest_twin.loads.schedule.target import target_of
from pytest_twin.model.machine_formats.parser import parse_text
from pytest_twin.stressors import find_kinds


def target(*events, count=6, **idle):
    schedule = parse_schedule(json.dumps({"events": events}), "schedule", find_kinds(), parse_text)
    return target_of(schedule, 1.0, count, idle).frame


def test_an_amount_holds_from_its_start_to_its_end():
    assert target({"start": 1, "duration": 3, "cpu": "50%"})["cpu"].to_list() == [0, 0.5, 0.5, 0.5, 0, 0]


def test_stages_are_straight_lines():
    cpu = target({"duration": 4, "cpu": "0%", "stages": {"cpu": "4s:80%"}}, count=4)["cpu"]
    assert cpu.to_list() == pytest.approx([0.1, 0.3, 0.5, 0.7])


def test_loads_at_the_same_time_add_up_to_what_is_in_use_anyway():
    events = ({"duration": 2, "mem": "10%"}, {"start": 1, "duration": 2, "mem": "20%"})
    assert target(*events, count=4, mem=0.3)["mem"].to_list() == pytest.approx([0.4, 0.6, 0.5, 0.3])


def test_a_mixed_disk_load_is_reads_and_writes():
    frame = target({"duration": 9, "disk": "10MB/s", "pattern": "mixed:30", "net": "1MB/s"}, count=1)
    assert frame.iloc[0].to_dict() == pytest.approx({"disk_read": 3e6, "disk_write": 7e6, "net_sent": 1e6})


def test_what_is_no_share_and_no_rate_is_not_known():
    assert list(target({"duration": 9, "cpu": 2, "disk": "10MB", "iops": "5/s"}, cpu=0.0)) == ["cpu"]
