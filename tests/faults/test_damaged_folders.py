"""Run folders that are damaged: what can be read is read, and what cannot is told."""

from __future__ import annotations

import json
import re
from contextlib import closing

import pytest
from click.testing import CliRunner

import pytest_twin
from pytest_twin._system.interruptible_event import InterruptSafeEvent
from pytest_twin.cli import main
from pytest_twin.cli._live_view import LiveView
from pytest_twin.model.clock import Clock
from pytest_twin.model.csv_text import record
from pytest_twin.model.event import Event
from pytest_twin.report.live.follower import RunFollower
from pytest_twin.run_folder.csv_frames import ReadingError
from pytest_twin.run_folder.folder import RunFolder
from pytest_twin.run_folder.layout import ANNOTATIONS, DATASET, FINGERPRINT, HEADERS, HOSTS, SCHEDULE, TESTS

pytestmark = pytest.mark.fault("damaged folders")

CLOCK = Clock(0.0, 0.0)
TABLES = (DATASET, ANNOTATIONS, TESTS)


@pytest.fixture
def folder(tmp_path):
    """A whole run: two samples, two events, two tests."""
    tmp_path = tmp_path / "run"
    tmp_path.mkdir()
    (tmp_path / DATASET).write_text(
        "timestamp,cpu_percent,elapsed_s\n" + "".join(f"{CLOCK.stamp(at)},50,{at}.0\n" for at in (1, 2))
    )
    events = "".join(Event(float(at), "note", detail="x").row(CLOCK) for at in (1, 2))
    (tmp_path / ANNOTATIONS).write_text(record(HEADERS[ANNOTATIONS]) + events)
    cells = [{"nodeid": f"t{at}", "start": CLOCK.stamp(at), "elapsed_s": f"{at}.0"} for at in (1, 2)]
    rows = [record([row.get(column, "") for column in HEADERS[TESTS]]) for row in cells]
    (tmp_path / TESTS).write_text("".join([record(HEADERS[TESTS]), *rows]))
    (tmp_path / FINGERPRINT).write_text(json.dumps({"pytest_twin": pytest_twin.__version__}))
    return tmp_path


def read(folder) -> tuple[list[int], list[str]]:
    """How many samples, events and tests were read, and what was told, without the folder's name."""
    run = pytest_twin.load(folder)
    problems = [problem.removeprefix(f"{folder}/") for problem in run.problems]
    return [len(run.samples), len(run.events), len(run.tests)], problems


def counts(damaged: str, rows: int) -> list[int]:
    return [rows if name == damaged else 2 for name in TABLES]


def test_of_a_whole_folder_there_is_nothing_to_tell(folder):
    assert read(folder) == ([2, 2, 2], [])


@pytest.mark.parametrize("name", TABLES)
def test_a_torn_line_is_left_out(folder, name):
    path = folder / name
    path.write_bytes(path.read_bytes()[:-3])
    assert read(folder) == (counts(name, 1), [f"{name} ends in the middle of a row, which is skipped"])


@pytest.mark.parametrize("name", TABLES)
def test_a_line_in_the_middle_that_is_torn_costs_only_itself(folder, name):
    path = folder / name
    header, first, second = path.read_text().splitlines(keepends=True)
    path.write_text(f"{header}{first}{first[:9]}\n{second}")
    assert read(folder) == ([2, 2, 2], [f"{name} is damaged: 1 rows or cells are skipped"])


@pytest.mark.parametrize("name", TABLES)
def test_the_others_are_read_where_a_file_is_missing(folder, name):
    (folder / name).unlink()
    assert read(folder) == (counts(name, 0), [f"{name} is missing"])


@pytest.mark.parametrize("name", TABLES)
def test_the_others_are_read_where_a_file_has_no_bytes(folder, name):
    (folder / name).write_bytes(b"")
    assert read(folder) == (counts(name, 0), [f"{name} is empty"])


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize(
    ("content", "said"),
    [(b"a,b\n1,2\n", "has no column {}"), (b"\0" * 4096, "is not CSV"), (b"\x89PNG\r\n", "has no column {}")],
)
def test_the_others_are_read_where_a_file_is_something_else(folder, name, content, said):
    (folder / name).write_bytes(content)
    column = "start" if name == TESTS else "timestamp"
    found, problems = read(folder)
    assert (found, problems[-1:]) == (counts(name, 0), [f"{name}: {said.format(column)}"])


def test_a_folder_of_which_nothing_can_be_read_is_an_error_of_one_line(folder):
    for name in TABLES:
        (folder / name).write_bytes(b"a,b\n1,2\n")
    with pytest.raises(ReadingError) as caught:
        pytest_twin.load(folder)
    assert str(caught.value) == f"{folder / DATASET}: has no column timestamp"


@pytest.mark.parametrize("content", ["", "{", "[1]", "null"])
def test_a_fingerprint_that_is_none_is_told(folder, content):
    (folder / FINGERPRINT).write_text(content)
    assert read(folder) == ([2, 2, 2], ["fingerprint.json is not a JSON object"])


def test_a_run_of_another_version_is_read_as_far_as_it_is_known(folder):
    (folder / FINGERPRINT).write_text('{"pytest_twin": "9.1"}')
    stamp = CLOCK.stamp(1.0)
    (folder / DATASET).write_text(f"timestamp,gpu_percent,cpu_percent,elapsed_s\n{stamp},7,50,1.0\n{stamp},,50,1.1\n")
    versions = f"was written by pytest-twin 9.1, and this is {pytest_twin.__version__}"
    assert read(folder) == ([2, 2, 2], [f"fingerprint.json {versions}: some of it may not be read"])
    assert pytest_twin.load(folder).samples["gpu_percent"].tolist()[0] == 7


STAMPS = [
    "0000-01-01T12:00:00.000Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59.999Z",
    "99999-01-01",
    "-001-01-01",
]


@pytest.mark.parametrize("stamp", STAMPS)
@pytest.mark.parametrize("name", TABLES)
def test_a_row_of_no_year_of_a_clock_is_left_out(folder, name, stamp):
    path = folder / name
    path.write_text(path.read_text().replace(CLOCK.stamp(1), stamp))
    assert read(folder) == (counts(name, 1), [f"{name} is damaged: 1 rows or cells are skipped"])


@pytest.mark.parametrize("cell", ["inf", "-inf", "1e309"])
@pytest.mark.parametrize("name", TABLES)
def test_a_time_without_an_end_is_a_missing_one(folder, name, cell):
    path = folder / name
    path.write_text(re.sub(r",1\.0+", f",{cell}", path.read_text(), count=1))
    assert read(folder) == ([2, 2, 2], [f"{name} is damaged: 1 rows or cells are skipped"])


@pytest.mark.parametrize("cell", ["inf", "1e309", "-1e400"])
def test_a_sample_without_an_end_is_a_missing_one(folder, cell):
    (folder / DATASET).write_text((folder / DATASET).read_text().replace(",50,", f",{cell},"))
    assert read(folder) == ([2, 2, 2], [f"{DATASET} is damaged: 2 rows or cells are skipped"])
    assert pytest_twin.load(folder).samples["cpu_percent"].isna().all()


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "1" * 5000])
@pytest.mark.parametrize("name", [FINGERPRINT, SCHEDULE, HOSTS])
def test_a_document_with_a_number_that_is_none_is_not_read(folder, name, number):
    (folder / name).write_text(f'{{"pytest_twin": "{pytest_twin.__version__}", "far": {{"cpu": {number}}}}}')
    assert read(folder) == ([2, 2, 2], ["fingerprint.json is not a JSON object"] * (name == FINGERPRINT))


DAMAGES = [(",1.0", ",inf"), ("50", "1e309"), (CLOCK.stamp(2), STAMPS[0]), (",1.0", ",1e300"), ('{"', '{"cpu": NaN, "')]


@pytest.mark.parametrize("damage", DAMAGES)
def test_every_command_that_reads_a_damaged_run_does_or_says_why_not(folder, damage):
    for name in (*TABLES, FINGERPRINT):
        (folder / name).write_text((folder / name).read_text().replace(*damage))
    plan, merged = folder.parent / "plan.json", folder.parent / "merged"
    plan.write_text(json.dumps({"events": [{"replay": str(folder / DATASET)}]}))
    for words in (
        ["report", folder, "--format=md,json"], ["trace", folder], ["compare", folder, folder],
        ["merge", folder, "-o", merged], ["report", merged, "--format=md,json"], ["run", "--dry-run", plan],
    ):  # fmt: skip
        done = CliRunner().invoke(main, [str(word) for word in words])
        assert done.exception is None or isinstance(done.exception, SystemExit), (words, done.exc_info)


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_damaged_can_be_watched(folder, damage):
    for name in TABLES:
        (folder / name).write_text((folder / name).read_text().replace(*damage))
    with closing(RunFollower(RunFolder(folder))) as following:
        view = LiveView(following, lambda: following.elapsed_s)
        view.wait(InterruptSafeEvent(), 0.0)
