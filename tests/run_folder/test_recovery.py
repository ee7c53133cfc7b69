"""What a run left that was killed is completed by whoever reads it."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from pytest_twin.model import event
from pytest_twin.model.clock import Clock
from pytest_twin.model.csv_text import record
from pytest_twin.model.event import Event
from pytest_twin.run_folder.folder import RunFolder, RunFolderError
from pytest_twin.run_folder.layout import ANNOTATIONS, DATASET, HEADERS, LOCK, TESTS, WORKERS_LOCK
from pytest_twin.run_folder.merge import merge
from pytest_twin.run_folder.recovery import has_unfinished, recover, unfinished_starts

CLOCK = Clock(100.0, 1_700_000_000.0)
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such locks")


@pytest.fixture
def killed(tmp_path) -> RunFolder:
    """The folder of a run that was killed with two workers, one within a test under a load."""
    folder = RunFolder(tmp_path / "run")
    folder.make()
    folder.mark()
    folder.release()
    (folder / LOCK).touch()
    begin(folder, "gw0", "a.py::one", 1.0)
    end(folder, "gw0", "a.py::one", 1.0, 2.0)
    begin(folder, "gw1", "a.py::two", 1.5)
    append(folder, ANNOTATIONS, "gw1", load(1.6))
    (folder / DATASET).write_text(
        "timestamp,elapsed_s\n" + "".join(f"{CLOCK.stamp(at)},{at}\n" for at in (1.0, 2.0, 3.0, 4.0))
    )
    return folder


def append(folder: RunFolder, name: str, worker: str, line: str) -> None:
    table = folder.table(name, worker)
    table.append(line)
    table.close()


def begin(folder: RunFolder, worker: str, test: str, at: float) -> None:
    append(folder, ANNOTATIONS, worker, Event(at, event.START, f"{worker}-t", event.TEST, test, worker).row(CLOCK))


def load(at: float) -> str:
    return Event(at, event.START, "gw1-l", "cpu", "a.py::two", "gw1", target="1").row(CLOCK)


def end(folder: RunFolder, worker: str, test: str, began: float, at: float) -> None:
    append(folder, ANNOTATIONS, worker, Event(at, event.END, f"{worker}-t", event.TEST, test, worker).row(CLOCK))
    cells = {
        "nodeid": test, "attempt": "1", "worker": worker, "outcome": "passed", "start": CLOCK.stamp(began),
        "elapsed_s": f"{began:.4f}", "duration_s": f"{at - began:.6f}",
    }  # fmt: skip
    append(folder, TESTS, worker, record([cells.get(name, "") for name in HEADERS[TESTS]]))


def outcomes(folder: RunFolder) -> list[tuple[str, str, str]]:
    return [(row["nodeid"], row["outcome"], row["duration_s"]) for row in folder.rows(TESTS)]


RECOVERED = [("a.py::one", "passed", "1.000000"), ("a.py::two", "crashed", "2.500000")]


def test_parts_are_merged_and_a_test_that_ran_has_crashed_when_the_run_was_last_heard_of(killed):
    recover(killed)
    assert outcomes(killed) == RECOVERED
    told = [(row["id"], row["event"], row["elapsed_s"]) for row in killed.rows(ANNOTATIONS)]
    assert told == [
        ("gw0-t", "start", "1.0000"), ("gw1-t", "start", "1.5000"), ("gw1-l", "start", "1.6000"),
        ("gw0-t", "end", "2.0000"), ("gw1-l", "abort", "4.0000"), ("gw1-t", "abort", "4.0000"),
    ]  # fmt: skip
    assert not killed.parts(ANNOTATIONS)
    assert not (killed / LOCK).exists()


def test_it_is_done_once(killed):
    recover(killed)
    before = (killed / TESTS).read_text(), (killed / ANNOTATIONS).read_text()
    (killed / LOCK).touch()
    recover(killed)
    assert ((killed / TESTS).read_text(), (killed / ANNOTATIONS).read_text()) == before


def test_rows_that_somebody_merged_who_was_killed_before_removing_the_part_are_there_once(killed):
    (part,) = killed.parts(TESTS)
    text = part.read_text()
    killed.merge()
    part.write_text(text)
    recover(killed)
    assert outcomes(killed) == RECOVERED


def test_a_test_whose_row_was_written_just_before_the_kill_has_no_other_one(killed):
    end(killed, "gw1", "a.py::two", 1.5, 2.5)
    annotations = killed.part(ANNOTATIONS, "gw1")
    annotations.write_text("".join(annotations.read_text().splitlines(keepends=True)[:-1]))
    recover(killed)
    assert outcomes(killed) == [RECOVERED[0], ("a.py::two", "passed", "1.000000")]


HOLDS = """import sys, time
from pathlib import Path
from pytest_twin._system.locks import FileLock, PresenceLock
lock = {kind}(Path(sys.argv[1]))
print("holds", flush=True)
sys.stdin.read()
"""


@posix
def test_what_the_controller_has_aborted_for_a_dead_worker_is_not_aborted_again(killed):
    aborts = [
        Event(3.0, event.ABORT, "gw1-l", "cpu", "a.py::two", "gw1", target="1"),
        Event(3.0, event.ABORT, "gw1-t", event.TEST, "a.py::two", "gw1"),
    ]
    for each in aborts:
        append(killed, ANNOTATIONS, "", each.row(CLOCK))
    recover(killed)
    found = [row["id"] for row in killed.rows(ANNOTATIONS) if row["event"] == event.ABORT]
    assert sorted(found) == ["gw1-l", "gw1-t"]


@pytest.mark.parametrize(("kind", "name"), [("FileLock", LOCK), ("PresenceLock", WORKERS_LOCK)])
def test_nothing_is_merged_while_the_run_or_a_worker_of_it_goes_on(killed, kind, name):
    command = [sys.executable, "-c", HOLDS.format(kind=kind), str(killed / name)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline()
        recover(killed)
        assert killed.parts(ANNOTATIONS)
        assert not (killed / TESTS).exists()
        holder.stdin.close()
        holder.wait()
    recover(killed)
    assert outcomes(killed) == RECOVERED


@posix
def test_a_run_waits_for_somebody_who_completes_what_is_there(killed, monkeypatch):
    monkeypatch.setattr(
        "pytest_twin.run_folder.folder.BRIEF_S", 60
    )  # on a busy machine the other one needs its time to end
    code = HOLDS.format(kind="FileLock").replace("(Path(sys.argv[1]))", "(Path(sys.argv[1]), is_brief=True)")
    code = code.replace("sys.stdin.read()", "time.sleep(1)")
    began = time.monotonic()
    with subprocess.Popen([sys.executable, "-c", code, str(killed / LOCK)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline()
        killed.claim()
    assert time.monotonic() - began >= 1
    with pytest.raises(RunFolderError, match="is locked by process"):
        RunFolder(killed.path).claim()
    killed.release()


def test_a_run_that_is_complete_is_not_touched(killed):
    recover(killed)
    before = {path: path.stat().st_mtime_ns for path in killed.path.rglob("*")}
    recover(killed)
    assert {path: path.stat().st_mtime_ns for path in killed.path.rglob("*")} == before


def test_merging_runs_completes_one_that_was_killed(killed, tmp_path):
    (merged,) = merge([killed.path], tmp_path / "all")
    assert merged.tests == 2
    assert outcomes(killed) == RECOVERED


def test_a_damaged_table_is_left_to_those_who_read_it(killed):
    (killed / DATASET).write_text("elapsed_s\nnonsense\n")
    recover(killed)
    assert killed.parts(ANNOTATIONS)


def event_row(event: str, number: str) -> dict[str, str]:
    return {"event": event, "id": number}


def test_what_ended_or_was_aborted_or_skipped_is_not_open():
    rows = [event_row("start", name) for name in "abcd"] + [
        event_row("end", "a"),
        event_row("abort", "b"),
        event_row("skip", "d"),
    ]
    assert unfinished_starts(rows) == [event_row("start", "c")]


def test_what_is_open_comes_in_the_order_in_which_it_began():
    rows = [event_row("start", "b"), event_row("note", ""), event_row("start", "a")]
    assert [each["id"] for each in unfinished_starts(rows)] == ["b", "a"]


def test_a_run_without_events_has_nothing_open(tmp_path):
    assert unfinished_starts([]) == []
    assert not has_unfinished([tmp_path / ANNOTATIONS])


@pytest.mark.parametrize("test", ["a.py::two", 'a.py::two["a, b"]'])
def test_what_is_open_is_noticed_in_the_parts_of_all_workers(tmp_path, test):
    folder = RunFolder(tmp_path / "run")
    folder.make()
    for worker, began in (("gw0", 1.0), ("gw1", 1.5)):
        begin(folder, worker, test, began)
    end(folder, "gw0", test, 1.0, 2.0)
    assert has_unfinished(folder.parts(ANNOTATIONS))
    append(folder, ANNOTATIONS, "", Event(3.0, event.ABORT, "gw1-t", event.TEST, test, "gw1").row(CLOCK))
    assert not has_unfinished([*folder.parts(ANNOTATIONS), folder / ANNOTATIONS])


def test_to_notice_that_nothing_is_open_takes_few_instructions_for_an_event(tmp_path, instructions):
    folder = RunFolder(tmp_path / "run")
    folder.make()
    for number in range(100):
        begin(folder, "gw0", f"a.py::test_{number}", number)
        end(folder, "gw0", f"a.py::test_{number}", number, number + 0.5)
    assert instructions(lambda: has_unfinished(folder.parts(ANNOTATIONS))) < 200 * 100
