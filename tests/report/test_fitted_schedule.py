"""A fitted schedule as a document, with its notes."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

pytest.importorskip("ruptures")
from pytest_twin.analysis.fit.phases import Level, Phase
from pytest_twin.loads.schedule.parser import parse_schedule
from pytest_twin.model.machine_formats.parser import parse_text
from pytest_twin.report.fit.document import schedule_document
from pytest_twin.report.fit.wording import format_amount, phase_notes
from pytest_twin.stressors import find_kinds

NOTHING = Level(0.0, 0.0)


def phase(start, duration, **levels):
    names = ("cpu", "mem", "disk_write", "disk_read", "net_sent")
    return Phase(start, duration, {name: Level(*levels.get(name, NOTHING)) for name in names})


BACKUP = (
    phase(0, 3600, cpu=(0.1, 0.1)),
    phase(3600, 5400, cpu=(0.6, 0.6), disk_write=(8e7, 8e7), mem=(0.0, 0.25)),
    phase(9000, 600),
    phase(9600, 600, cpu=(0.12, 0.1), net_sent=(2.5e3, 2.5e3)),
)


def test_each_phase_with_a_load_is_one_event_that_a_person_can_read():
    document = schedule_document(BACKUP, None)
    assert document["events"] == [
        {"start": "0s", "duration": "1h", "cpu": "10%", "note": "0s: cpu up to 10%"},
        {
            "start": "1h", "duration": "1h30m", "cpu": "60%", "mem": "0%", "disk": "80MB/s",
            "stages": {"mem": "1h30m:25%"}, "note": "1h: cpu up to 60%, mem 0% to 25%, disk writes up to 80MB/s",
        },
        {
            "start": "2h40m", "duration": "10m", "cpu": "12%", "net": "2.5kB/s", "stages": {"cpu": "10m:10%"},
            "note": "2h40m: cpu up to 12%, net up to 2.5kB/s",
        },
    ]  # fmt: skip


def test_the_document_is_a_valid_schedule():
    document = {**schedule_document(BACKUP, None), "events": schedule_document(BACKUP, None)["events"]}
    schedule = parse_schedule(json.dumps(document), "twin.json", find_kinds(), parse_text)
    assert [event.start_s for event in schedule.events] == [0, 3600, 9600]
    assert schedule.duration_s == 10200


@pytest.mark.parametrize(
    ("read", "written", "keywords"),
    [
        (0, 5e6, {"disk": "5MB/s"}),
        (5e6, 0, {"disk": "5MB/s", "pattern": "read"}),
        (3e6, 7e6, {"disk": "10MB/s", "pattern": "mixed:30"}),
        (1e3, 9e9, {"disk": "9GB/s"}),
    ],
)
def test_reads_and_writes_are_one_disk_load_with_a_pattern(read, written, keywords):
    one = phase(0, 60, disk_read=(read, read), disk_write=(written, written))
    (event,) = schedule_document([one], None)["events"]
    assert {key: event[key] for key in event if key not in {"start", "duration", "note"}} == keywords


def test_notes_have_the_time_of_the_recording_to_the_minute_or_second():
    start = datetime(2026, 3, 2, 23, 59, 59, tzinfo=UTC)
    assert list(phase_notes(BACKUP, start))[1].startswith("01:00 UTC: cpu up to 60%")
    assert list(phase_notes(BACKUP[:1], start)) == ["23:59:59 UTC: cpu up to 10%"]
    days = [phase(0, 50_000), phase(50_000, 50_000, cpu=(0.1, 0.1))]
    assert list(phase_notes(days, start))[1] == "2026-03-03 13:53 UTC: cpu up to 10%"


def test_a_note_tells_of_large_changes_only_and_of_a_jump_before_a_line():
    phases = [phase(0, 9, cpu=(0.5, 0.5)), phase(9, 9, cpu=(0.52, 0.52)), phase(18, 9, cpu=(0.1, 0.4))]
    assert list(phase_notes(phases, None)) == [
        "0s: cpu up to 50%",
        "9s: little changes",
        "18s: cpu down to 10%, then to 40%",
    ]


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [("cpu", 0.125, "12.5%"), ("mem", 1, "100%"), ("disk_write", 1.5e9, "1.5GB/s"), ("net_sent", 0, "0kB/s")],
)
def test_an_amount_has_the_unit_that_a_person_would_choose(name, value, text):
    assert format_amount(name, value) == text
