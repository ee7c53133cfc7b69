"""A run folder that is followed while it is written."""

from __future__ import annotations

import pytest

from pytest_twin.analysis.run.running import EndCounts
from pytest_twin.model.clock import Clock
from pytest_twin.model.event import END, START, TEST, Event
from pytest_twin.report.live.follower import RunFollower
from pytest_twin.run_folder.folder import RunFolder
from pytest_twin.run_folder.layout import ANNOTATIONS, DATASET

CLOCK = Clock(0.0, 1_700_000_000.0)


@pytest.fixture
def folder(tmp_path):
    """A run folder that is not there yet."""
    return RunFolder(tmp_path / "twin-report")


@pytest.fixture
def now():
    """The time, to be set."""
    return [100.0]


@pytest.fixture
def following(folder, now):
    follower = RunFollower(folder, clock=lambda: now[0])
    yield follower
    follower.close()


def sample(folder, *times, clock=CLOCK):
    dataset = folder / DATASET
    if not dataset.exists():
        dataset.write_text("timestamp,elapsed_s,cpu_percent\n", encoding="ascii")
    with dataset.open("a", encoding="ascii") as file:
        file.writelines(f"{clock.stamp(at)},{at},50\n" for at in times)


def tell(folder, *events, worker=""):
    table = folder.table(ANNOTATIONS, worker)
    for event in events:
        table.append(event._replace(worker=worker).row(CLOCK))
    table.close()


def test_a_folder_that_is_not_there_is_waited_for(folder, following):
    following.read()
    assert (following.minute.rows, following.running, following.ended) == (0, [], EndCounts())
    folder.make()
    sample(folder, 1, 2)
    following.read()
    assert following.minute.rows == 2


def test_time_goes_on_between_two_rows(folder, following, now):
    folder.make()
    sample(folder, 1, 2)
    following.read()
    now[0] += 0.5
    following.read()
    assert (following.elapsed_s, following.silent_s) == (2.5, 0.5)
    sample(folder, 3)
    following.read()
    assert (following.elapsed_s, following.silent_s) == (3, 0)


def test_workers_have_files_of_their_own_until_they_are_merged(folder, following):
    folder.make()
    tell(folder, Event(1, START, "l1", "cpu", target="75%"))
    for worker in ("gw0", "gw1"):
        tell(folder, Event(2, START, f"{worker}-t1", TEST, f"{worker}.py::test"), worker=worker)
    following.read()
    assert [each.worker for each in following.running] == ["", "gw0", "gw1"]
    tell(folder, Event(3, END, "gw0-t1", TEST), worker="gw0")
    folder.merge()
    following.read()
    assert [each.what for each in following.running] == ["75%", "gw1.py::test"]
    assert following.ended == EndCounts(tests=1)


def test_a_new_run_in_the_same_folder_takes_the_place_of_the_old(folder, following):
    folder.make()
    sample(folder, *range(1, 50))
    tell(folder, Event(1, START, "t1", TEST))
    following.read()
    for name in (DATASET, ANNOTATIONS):
        (folder / name).unlink()
    sample(folder, 1, clock=Clock(0.0, CLOCK.epoch + 500))
    following.read()
    assert (following.minute.rows, following.minute.elapsed_s, following.running) == (1, 1.0, [])


def test_a_dataset_that_goes_on_in_a_new_file_keeps_the_minute(folder, following):
    folder.make()
    sample(folder, *range(1, 50))
    following.read()
    (folder / DATASET).rename(folder / "system_metrics_dataset.0001.csv")
    sample(folder, 50)
    following.read()
    assert (following.minute.rows, following.minute.missed) == (50, 0)
    assert None not in following.minute.lines(60)[0].points[-50:]
