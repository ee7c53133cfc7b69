"""Schedules that replay run folders, and recordings in place of a schedule."""

from __future__ import annotations

import gzip
import json

import pytest

from pytest_twin.loads.schedule.schedule import ScheduleError
from pytest_twin.model.demand_change import parse_changes
from pytest_twin.run_folder.layout import DATASET
from pytest_twin.run_folder.schedule_file import open_schedule
from pytest_twin.stressors import find_kinds

KINDS = find_kinds()
HEADING = "timestamp,elapsed_s,cpu_percent\n"
ROWS = [f"2026-11-28T10:00:{at:02}.000Z,{at},{10 * at}\n" for at in range(1, 7)]
SEVEN = (0, 0.1), (1, 0.1), (1, 0.2), (2, 0.2)


@pytest.fixture
def folder(tmp_path):
    """A run folder with a dataset of 6 s, beside a schedule that replays it and the same rows as a file."""
    (tmp_path / "prod").mkdir()
    (tmp_path / "prod" / DATASET).write_text(HEADING + "".join(ROWS))
    (tmp_path / "prod.csv").write_text(HEADING + "".join(ROWS))
    (tmp_path / "plan.json").write_text(json.dumps({"events": [{"replay": "prod"}]}))
    (tmp_path / "same.json").write_text(json.dumps({"events": [{"replay": "prod.csv"}]}))
    return tmp_path


def parts(path, *args, **options):
    """The profiles and the duration of the only event of a schedule."""
    (event,) = open_schedule(path, KINDS, *args, **options).events
    return [(part.kind.keyword, part.profile) for part in event.load.parts], event.duration_s


def problems(path, **options):
    with pytest.raises(ScheduleError) as caught:
        open_schedule(path, KINDS, **options)
    return caught.value.problems


def test_a_schedule_replays_a_run_folder_as_it_does_its_file(folder):
    assert parts(folder / "plan.json") == parts(folder / "same.json")
    assert parts(folder / "plan.json")[1] == 6


def test_the_segments_of_a_long_dataset_are_replayed_together(folder):
    whole = parts(folder / "plan.json")
    with gzip.open(folder / "prod" / DATASET.replace(".csv", ".0001.csv.gz"), "wt") as file:
        file.write(HEADING + "".join(ROWS[:4]))
    (folder / "prod" / DATASET).write_text(HEADING + "".join(ROWS[4:]))
    assert parts(folder / "plan.json") == whole
    assert parts(folder / "plan.json", {}) == whole


def test_a_dataset_that_became_parquet_is_replayed(folder):
    pytest.importorskip("pyarrow")
    from pytest_twin.run_folder.convert import to_parquet

    whole = parts(folder / "plan.json")
    to_parquet(folder / "prod" / DATASET)
    assert not (folder / "prod" / DATASET).exists()
    assert parts(folder / "plan.json") == whole


def test_a_host_without_the_files_reads_the_schedule_from_their_texts(folder, tmp_path):
    texts = {}
    here = parts(folder / "plan.json", texts)
    assert parts(tmp_path / "elsewhere" / "plan.json", texts) == here
    assert parts(tmp_path / "elsewhere" / "prod", {"prod": texts["prod"]}) == here


def test_a_folder_without_a_recording_is_told_at_the_event(folder):
    (folder / "prod" / DATASET).unlink()
    lacks = f"has no {DATASET}; give a run folder, or a file"
    assert problems(folder / "plan.json") == [f"plan.json: events[0].replay: prod: {lacks}"]
    assert problems(folder / "prod") == [f"prod: {lacks}"]


@pytest.mark.parametrize("name", ["prod", "prod.csv"])
def test_a_recording_in_place_of_a_schedule_is_played_once(folder, name):
    schedule = open_schedule(folder / name, KINDS)
    assert parts(folder / name) == parts(folder / "plan.json")
    assert schedule.remarks == ("all of it is played, 6 s",)
    assert schedule.document()["events"] == [
        {"id": "e1", "start": "0s", "duration": "6s", "replay": name, "note": "all of it is played, 6 s"}
    ]
    assert schedule.name == name


def test_a_part_of_a_recording_is_played_and_told(folder):
    schedule = open_schedule(folder / "prod", KINDS, window={"busiest": "2s"})
    played = "2 s of 6 s are played (33.3 %), from 2026-11-28 10:00:04 UTC"
    assert schedule.remarks == (played,)
    assert schedule.document()["events"][0]["busiest"] == "2s"
    assert parts(folder / "prod.csv", window={"to": "2s"}) == ([("cpu", SEVEN)], 2)


def test_what_a_window_lacks_is_told_with_the_recording(folder):
    assert problems(folder / "prod.csv", window={"busiest": "1m"}) == [
        "prod.csv: busiest: 60 s are more than the recording has, which lasts 6 s"
    ]
    assert problems(folder / "plan.json", window={"busiest": "1s"}) == [
        "plan.json: is a schedule; a window is written into its events, as from, to and busiest"
    ]


def test_a_recording_is_played_with_another_demand(folder):
    changes = parse_changes("cpu*2")
    schedule = open_schedule(folder / "prod.csv", KINDS, changes=changes)
    (event,) = schedule.events
    assert (event.load.parts[0].peak, event.load.keywords) == (1.2, {"replay": "prod.csv", "scale": "cpu*2"})
    (folder / "scaled.json").write_text(json.dumps({"events": [{"replay": "prod.csv", "scale": "cpu*2"}]}))
    assert parts(folder / "scaled.json") == parts(folder / "prod.csv", changes=changes)
    said = "plan.json: is a schedule; a scale is written into its events"
    assert problems(folder / "plan.json", changes=changes) == [said]
    said = "prod.csv: scale: the recording has no values of disk_read or disk_write"
    assert problems(folder / "prod.csv", changes=parse_changes("disk*2")) == [said]


def test_a_recording_that_cannot_be_read_is_told_as_one(folder):
    (folder / "idle.csv").write_text("elapsed_s,cpu_percent\n1,0\n2,0\n")
    assert problems(folder / "idle.csv") == ["idle.csv: has nothing to replay: no value above 0 in cpu_percent"]
    (folder / "long.csv").write_text("elapsed_s,cpu_percent\n1,5\n40000000,5\n")
    assert problems(folder / "long.csv") == ["long.csv: is longer than a year; play a part of it"]
    assert problems(folder / "none.csv") == [f"{folder / 'none.csv'}: No such file or directory"]


@pytest.mark.parametrize("name", ["plan.yaml", "plan"])
def test_a_schedule_in_another_format_is_not_taken_for_a_recording(folder, name):
    (folder / name).write_text("events:\n  - cpu: 1\n")
    assert problems(folder / name) == [f"{name}: is YAML; write the schedule as JSON or TOML"]


def test_a_damaged_gzip_file_is_a_problem_with_its_place(folder):
    (folder / "prod.csv.gz").write_bytes(gzip.compress((HEADING + "".join(ROWS)).encode())[:-15])
    (folder / "gz.json").write_text(json.dumps({"events": [{"replay": "prod.csv.gz"}]}))
    damaged = "prod.csv.gz: is not a whole gzip file; it was cut off or damaged"
    assert problems(folder / "gz.json") == [f"gz.json: events[0].replay: {damaged}"]
    assert problems(folder / "prod.csv.gz") == [damaged]


def test_a_schedule_that_is_written_elsewhere_finds_its_recording(folder):
    """So that the schedule of a run can be played again."""
    schedule = open_schedule(folder / "same.json", KINDS)
    (folder / "out" / "run").mkdir(parents=True)
    written = folder / "out" / "run" / "schedule.json"
    written.write_text(schedule.text(str(written.parent)))
    assert json.loads(written.read_text())["events"][0]["replay"].replace("\\", "/") == "../../prod.csv"
    assert parts(written)[1] == 6
    assert open_schedule(folder / "same.json", KINDS).label == schedule.label


PROSE = ["The server was slow, and then it was not.", "Users, as ever, told us first.", 'One said "it hangs".', "Why"]


@pytest.mark.parametrize("lines", [PROSE, ['"""Tests, and fixtures."""', "import os", '"', "x = 1, 2"], ["a,b", "1"]])
def test_a_text_that_is_neither_schedule_nor_recording_is_one_line(tmp_path, lines):
    path = tmp_path / "notes.txt"
    path.write_text("".join(f"{line}\n" for line in lines))
    advice = "row 1: has no column of times; name it timestamp, or elapsed_s where it has seconds"
    assert problems(path) == [f"notes.txt: is neither a schedule (JSON or TOML) nor a recording: {advice}"]


@pytest.mark.parametrize("heading", [HEADING, "when,elapsed,cpu_percent\n"])
def test_the_first_bad_rows_of_a_recording_are_listed(tmp_path, heading):
    path = tmp_path / "prod.csv"
    path.write_text(heading + "".join(ROWS) + "2026-11-28T10:00:07.000Z,7\n" * 9)
    misfit = "has 2 cells, but the header has 3"
    assert problems(path) == [*(f"prod.csv: row {row}: {misfit}" for row in (8, 9, 10)), "prod.csv: and 6 more rows"]
