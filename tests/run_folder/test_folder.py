"""The run folder: its tables, the parts of workers, and the slices of tests."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_twin._system import append_file, stdlib
from pytest_twin._system.locks import GATE
from pytest_twin.model.clock import Clock
from pytest_twin.model.csv_text import record
from pytest_twin.model.event import Event
from pytest_twin.run_folder.finalize import finalize
from pytest_twin.run_folder.folder import RunFolder, RunFolderError
from pytest_twin.run_folder.layout import (
    ANNOTATIONS,
    CONSTRAINTS,
    DATASET,
    FINGERPRINT,
    HEADERS,
    LOCK,
    SCHEDULE,
    TESTS,
    WORKERS_LOCK,
    folder_of_test,
)

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX links and modes")
CLOCK = Clock(0.0, 0.0)


@pytest.fixture
def folder(tmp_path) -> RunFolder:
    """A run folder that has been made."""
    made = RunFolder(tmp_path / "twin-report")
    made.make()
    return made


@pytest.fixture
def write(folder):
    """Appends rows to a table of the folder."""

    def write(name: str, *rows: str, part: str = "") -> None:
        table = folder.table(name, part)
        for row in rows:
            table.append(row)
        table.close()
        assert table.dropped == 0

    return write


def event(at: float, what: str = "note", **fields: str) -> str:
    return Event(at, what, **fields).row(CLOCK)


def attempt(nodeid: str, began: float, lasted: float, folder: str = "") -> str:
    cells = {"nodeid": nodeid, "elapsed_s": f"{began}", "duration_s": f"{lasted}", "folder": folder}
    return record([cells.get(column, "") for column in HEADERS[TESTS]])


def names(path: Path) -> list[str]:
    """What is there, but for the lock of the run that has it."""
    return sorted(str(each.relative_to(path)) for each in path.rglob("*") if each.name != LOCK)


# The folder


def test_a_folder_that_is_made_keeps_itself_out_of_version_control(folder):
    assert names(folder.path) == [".gitignore"]
    assert (folder / ".gitignore").read_text(encoding="ascii") == "*\n"


def test_a_folder_that_is_there_gets_nothing_but_our_files(tmp_path):
    RunFolder(tmp_path).make()
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", [SCHEDULE, TESTS, ANNOTATIONS, DATASET, FINGERPRINT])
def test_a_folder_that_has_files_of_somebody_else_in_the_place_of_ours_is_refused(tmp_path, name):
    """Such as a project with a schedule.json whose report directory is the project itself."""
    (tmp_path / name).write_text("{}", encoding="ascii")
    with pytest.raises(RunFolderError) as caught:
        RunFolder(tmp_path).make()
    assert str(caught.value) == f"{tmp_path} has a {name} that no run wrote; choose another directory"


@posix
def test_a_pipe_in_the_place_of_the_fingerprint_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / FINGERPRINT)
    with pytest.raises(RunFolderError, match=r"has a fingerprint\.json that no run wrote; choose another directory$"):
        RunFolder(tmp_path).make()


@pytest.mark.parametrize("text", ["[" * 200_000, "[]", "7", '"pytest_twin"', "\0"])
def test_a_hostile_fingerprint_is_of_no_run(tmp_path, text):
    (tmp_path / FINGERPRINT).write_text(text, encoding="ascii")
    assert not RunFolder(tmp_path).is_run


@posix
def test_what_is_made_is_for_its_owner_only(folder, write):
    write(ANNOTATIONS)
    assert [path.stat().st_mode & 0o077 for path in (folder.path, folder / ANNOTATIONS)] == [0, 0]


def test_a_file_in_its_place_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunFolderError) as caught:
        RunFolder(tmp_path / "file").make()
    assert str(caught.value) == f"{tmp_path / 'file'} is a file; give a directory"


@posix
def test_a_file_on_the_way_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RunFolderError) as caught:
        RunFolder(tmp_path / "file" / "report").make()
    assert str(caught.value) == f"{tmp_path / 'file' / 'report'} cannot be created: Not a directory"


# Tables


def test_rows_are_read_as_they_were_written(folder, write):
    text = 'commas, "quotes",\nlines and \x00'
    write(ANNOTATIONS, event(1.5, detail=text), event(2.5, "start", id="t1", type="test", test="a.py::test[=1]"))
    first, second = folder.rows(ANNOTATIONS)
    assert first["detail"] == 'commas, "quotes",\\nlines and \\x00'
    assert (second["timestamp"], second["elapsed_s"]) == ("1970-01-01T00:00:02.500Z", "2.5000")
    assert (second["event"], second["id"], second["test"]) == ("start", "t1", "a.py::test[=1]")


def test_a_table_that_is_opened_again_has_one_header(folder, write):
    for at in (1.0, 2.0):
        write(ANNOTATIONS, event(at))
    assert [row["elapsed_s"] for row in folder.rows(ANNOTATIONS)] == ["1.0000", "2.0000"]


def test_a_table_that_is_not_there_has_no_rows(folder):
    assert folder.rows(TESTS) == []


def test_a_line_without_an_end_is_left_out(folder, write):
    write(ANNOTATIONS, event(1.0))
    with (folder / ANNOTATIONS).open("a", encoding="ascii") as file:
        file.write("1970-01-01T00:00:02.000Z,2.0")
    assert [row["elapsed_s"] for row in folder.rows(ANNOTATIONS)] == ["1.0000"]


def test_a_table_that_was_torn_goes_on_with_a_line_of_its_own(folder, write):
    write(ANNOTATIONS, event(1.0))
    with (folder / ANNOTATIONS).open("a", encoding="ascii") as file:
        file.write("1970-01-01T00:00:02.000Z,2.0")
    write(ANNOTATIONS, event(3.0))
    assert "3.0000" in [row["elapsed_s"] for row in folder.rows(ANNOTATIONS)]


@pytest.mark.parametrize("written", [0, 5])
def test_a_row_that_cannot_be_written_is_counted(folder, monkeypatch, written):
    table = folder.table(ANNOTATIONS)

    really_write = os.write

    def write(fd: int, data: bytes) -> int:
        if written == 0 or len(data) < 20:
            raise OSError(27, "File too large")
        return really_write(fd, data[:-written])

    with monkeypatch.context() as full:
        full.setattr(stdlib.os, "write", write)
        table.append(event(1.0))
    table.append(event(2.0))
    table.close()
    assert (table.dropped, table.problem) == (1, "File too large")
    assert [row["elapsed_s"] for row in folder.rows(ANNOTATIONS)] == ["2.0000"]


@posix
def test_a_table_does_not_follow_a_link(folder, tmp_path):
    (tmp_path / "precious").write_text("precious", encoding="ascii")
    (folder / TESTS).symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match="symbolic link"):
        folder.table(TESTS)
    assert (tmp_path / "precious").read_text(encoding="ascii") == "precious"


def test_json_is_for_people(folder):
    folder.write_json(FINGERPRINT, {"name": "Größe", "path": Path("x")})
    assert (folder / FINGERPRINT).read_text(encoding="utf-8") == '{\n  "name": "Größe",\n  "path": "x"\n}\n'


# Parts


def test_parts_of_workers_become_one_table_in_the_order_of_time(folder, write):
    write(ANNOTATIONS, event(2.0))
    write(ANNOTATIONS, event(1.0, worker="gw0"), event(4.0, worker="gw0"), part="gw0")
    write(ANNOTATIONS, event(3.0, worker="gw1", detail="=1+1"), part="gw1")
    folder.merge()
    rows = folder.rows(ANNOTATIONS)
    assert [(row["elapsed_s"], row["worker"]) for row in rows] == [
        ("1.0000", "gw0"), ("2.0000", ""), ("3.0000", "gw1"), ("4.0000", "gw0")
    ]  # fmt: skip
    assert rows[2]["detail"] == "'=1+1"  # made safe once, not twice
    assert names(folder.path) == [".gitignore", ANNOTATIONS]


def test_a_part_of_a_worker_that_died_keeps_its_whole_rows(folder, write):
    write(TESTS, attempt("a", 1.0, 1.0), part="gw0")
    with folder.part(TESTS, "gw0").open("a", encoding="ascii") as file:
        file.write("b,,,")
    folder.merge()
    assert [row["nodeid"] for row in folder.rows(TESTS)] == ["a"]


def test_merging_twice_changes_nothing(folder, write):
    write(ANNOTATIONS, event(1.0, detail="-x"), event(2.0, detail="a,b\nc"), part="gw0")
    folder.merge()
    once = (folder / ANNOTATIONS).read_bytes()
    folder.merge()
    assert (folder / ANNOTATIONS).read_bytes() == once


def test_a_table_that_begins_on_a_full_disk_has_the_rows_from_then_on_when_there_is_room(folder, monkeypatch):
    def fail(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(append_file.os, "write", fail)
        table = folder.table(ANNOTATIONS)
        assert (table.dropped, table.problem) == (0, "")
        table.append(event(1.0))
        table.append_between_tests(event(2.0))
    assert (table.dropped, table.problem) == (2, "No space left on device")
    table.append_between_tests(event(3.0))
    table.append(event(4.0))
    table.close()
    assert [row["elapsed_s"] for row in folder.rows(ANNOTATIONS)] == ["3.0000", "4.0000"]


def test_parts_without_tests_are_removed_and_others_kept(folder, write):
    write(ANNOTATIONS, event(0.5, "start", type="constraint"), part="gw0")
    write(TESTS, part="gw0")
    (folder / GATE).touch()
    write(ANNOTATIONS, event(1.0, "start", type="test"), part="gw1")
    before = names(folder.path)
    folder.remove_parts_without_tests()
    assert names(folder.path) == before
    folder.parts(ANNOTATIONS, "gw1")[0].unlink()
    folder.remove_parts_without_tests()
    assert names(folder.path) == [".gitignore"]


@pytest.fixture
def worker(folder):
    """Another process that writes to the folder, as a worker of pytest-xdist."""
    program = (
        "import sys; from pathlib import Path; from pytest_twin.run_folder.folder import RunFolder\n"
        "folder = RunFolder(Path(sys.argv[1])); folder.join(); print(flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(folder.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        yield process


@posix
def test_what_a_worker_has_begun_is_kept_from_a_controller_that_starts_later(folder, write, worker):
    folder.mark()
    write(ANNOTATIONS, event(1.0))
    write(ANNOTATIONS, part="gw0")
    (folder / CONSTRAINTS).mkdir()
    (folder / CONSTRAINTS / "held").touch()
    folder.clear()
    folder.remove_parts_without_tests()
    assert names(folder.path) == [
        CONSTRAINTS, f"{CONSTRAINTS}/held", ".gitignore", WORKERS_LOCK, folder.part(ANNOTATIONS, "gw0").name
    ]  # fmt: skip
    worker.communicate()
    folder.remove_parts_without_tests()
    folder.mark()
    folder.clear()
    assert names(folder.path) == [".gitignore"]


def test_processes_that_make_a_folder_at_the_same_moment_do_not_refuse_each_other(tmp_path):
    def make(folder: Path) -> None:
        together.wait()
        RunFolder(folder).make(claim=False)

    many = 4
    together = threading.Barrier(many)
    with ThreadPoolExecutor(many) as pool:
        for number in range(200):
            folder = tmp_path / str(number)
            list(pool.map(make, [folder] * many))
            assert names(folder) == [".gitignore"]


def test_parts_that_nobody_merged_are_forgotten(folder, write):
    write(ANNOTATIONS, event(1.0), part="gw0")
    write(TESTS, attempt("a", 1.0, 1.0), part="gw7")
    folder.remove_parts()
    assert names(folder.path) == [".gitignore"]


@pytest.mark.parametrize("clean", ["merge", "remove_parts"])
def test_a_copy_that_somebody_made_is_no_part(folder, write, clean):
    write(TESTS, attempt("a", 1.0, 1.0))
    (folder / "tests.before.csv").write_bytes((folder / TESTS).read_bytes())
    getattr(folder, clean)()
    assert (folder / "tests.before.csv").exists()
    assert len(folder.rows(TESTS)) == 1


# Slices

SAMPLES = "timestamp,cpu_percent,elapsed_s,load_1m\n" + "".join(f"t,{at},{at / 10:.3f},1\n" for at in range(1, 11))


@pytest.fixture
def sliced(folder, write):
    """The folder of a test from 0.25 s to 0.55 s of a run with a row every 0.1 s."""

    def sliced(*events: str) -> RunFolder:
        (folder / DATASET).write_text(SAMPLES + "t,11,1.1", encoding="ascii")
        write(TESTS, attempt("a", 0.25, 0.3, "tests/a-1"), attempt("b", 0.6, 0.1))
        write(ANNOTATIONS, *events)
        finalize(folder, 0.1)
        return RunFolder(folder / "tests/a-1")

    return sliced


def test_a_test_has_its_rows_and_the_one_that_tells_of_its_end(sliced, folder):
    rows = sliced().rows(DATASET)
    assert [row["elapsed_s"] for row in rows] == ["0.300", "0.400", "0.500", "0.600"]
    assert [row["cpu_percent"] for row in rows] == ["", "4", "5", ""]  # these two are of others' time too
    assert [row["load_1m"] for row in rows] == ["1"] * 4
    assert names(folder / "tests") == ["a-1", f"a-1/{ANNOTATIONS}", f"a-1/{DATASET}"]
    assert (folder / DATASET).read_text(encoding="ascii") == SAMPLES + "t,11,1.1"


def test_a_test_has_the_events_that_were_there_during_it(sliced):
    rows = sliced(
        event(0.0, "start", id="before"), event(0.05, detail="a note before"), event(0.1, "end", id="before"),
        event(0.2, "start", id="all along"), event(0.3, detail="a note"), event(0.4, "start", id="within"),
        event(0.45, "abort", id="within"), event(0.5, "start", id="without end"), event(0.7, "start", id="after"),
        event(0.9, "end", id="all along"), event(0.95, "end", id="after"), event(0.3, "skip", id="skipped"),
    ).rows(ANNOTATIONS)  # fmt: skip
    assert [(row["event"], row["id"] or row["detail"]) for row in rows] == [
        ("start", "all along"), ("note", "a note"), ("start", "within"), ("abort", "within"),
        ("start", "without end"), ("end", "all along"), ("skip", "skipped"),
    ]  # fmt: skip


def test_without_a_test_that_has_a_folder_nothing_is_sliced(folder, write):
    write(TESTS, attempt("a", 0.1, 0.1))
    finalize(folder, 0.1)
    assert names(folder.path) == [".gitignore", TESTS]


# Forgetting


def test_what_an_earlier_run_left_is_forgotten(sliced, folder):
    sliced(event(0.3))
    folder.write_json(FINGERPRINT, {"pytest_twin": "0.1.0"})
    folder.write_json(SCHEDULE, {})
    folder.clear()
    assert names(folder.path) == [".gitignore"]


@pytest.mark.parametrize("operation", ["unlink", "rmdir"])
@pytest.mark.parametrize("is_done", [False, True])
def test_an_interrupt_while_a_run_is_forgotten_leaves_no_part_of_it(sliced, folder, monkeypatch, operation, is_done):
    for at in count():
        sliced(event(0.3))
        (folder / "hosts/far").mkdir(parents=True)
        (folder / "hosts/far" / DATASET).touch()
        folder.mark()
        operate, left = getattr(Path, operation), [at]

        def interrupted(path, *args, operate=operate, left=left, **options):
            left[0] -= 1
            if left[0] == -1 and not is_done:
                raise KeyboardInterrupt
            operate(path, *args, **options)
            if left[0] == -1:
                raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(Path, operation, interrupted)
            try:
                folder.clear()
            except KeyboardInterrupt:
                assert names(folder.path) == [".gitignore"]
            else:
                break  # it has fewer operations
    assert at > 1


def test_forgetting_removes_nothing_that_is_not_ours(sliced, folder):
    sliced(event(0.3))
    folder.write_json(FINGERPRINT, {"pytest_twin": "0.1.0"})
    others = ["notes.txt", "data.csv", "tests/test_a.py", "tests/data/annotations.csv", "tests/a-1/plot.png"]
    for other in others:
        (folder / other).parent.mkdir(exist_ok=True)
        (folder / other).write_text("precious", encoding="ascii")
    folder.clear()
    assert [each for each in names(folder.path) if (folder / each).is_file()] == sorted([".gitignore", *others])


def test_forgetting_where_there_is_nothing_is_no_matter(tmp_path):
    RunFolder(tmp_path / "nowhere").clear()
    assert names(tmp_path) == []


@posix
def test_forgetting_a_run_goes_through_no_link_between_the_folders_of_its_tests(folder, tmp_path):
    folder.mark()
    elsewhere = tmp_path / "elsewhere"
    for own in (elsewhere, folder / "tests/own"):
        own.mkdir(parents=True)
        (own / DATASET).touch()
    (folder / "tests/link").symlink_to(elsewhere)
    folder.clear()
    assert names(tmp_path) == [
        "elsewhere", f"elsewhere/{DATASET}", "twin-report", "twin-report/.gitignore", "twin-report/tests",
        "twin-report/tests/link",
    ]  # fmt: skip


@posix
@pytest.mark.parametrize("name", ["tests", "hosts"])
@pytest.mark.parametrize("deep", [False, True], ids=["itself", "within"])
def test_forgetting_a_run_removes_nothing_behind_a_link(folder, tmp_path, name, deep):
    folder.mark()
    theirs = tmp_path / "theirs" / "one" / DATASET
    theirs.parent.mkdir(parents=True)
    theirs.touch()
    link = folder / name
    if deep:
        link.mkdir()
        link /= "one"
    link.symlink_to(theirs.parent if deep else theirs.parent.parent)
    folder.clear()
    assert theirs.exists()
    assert not (folder / FINGERPRINT).exists()


@pytest.mark.parametrize("name", [SCHEDULE, TESTS, ANNOTATIONS])
def test_a_file_of_the_same_name_in_a_folder_of_somebody_else_is_left_alone(tmp_path, name):
    """Such as the schedule of a project whose report directory is the project itself."""
    (tmp_path / name).write_text("precious", encoding="ascii")
    RunFolder(tmp_path).clear()
    assert (tmp_path / name).exists()


# Names


@pytest.mark.parametrize(
    ("nodeid", "readable"),
    [
        ("tests/test_a.py::test_b", "tests-test_a.py-test_b"),
        ("../../etc/passwd", "etc-passwd"),
        ("a,b\nc\r\0d", "a-b-c-d"),
        ("CON", "_CON"),
        ("test.py::test[größe \udcff]", "test.py-test-gr-e"),
        ("x" * 5000, "x" * 60),
        ("測試", ""),
        ("", ""),
        ("..", ""),
        ("- -", ""),
    ],
)
def test_the_folder_of_a_test_can_be_read_by_people(nodeid, readable):
    parent, _, name = folder_of_test(nodeid, 1).partition("/")
    assert parent == "tests"
    assert name[:-10].removesuffix("-") == readable
    assert len(name) == len(readable) + bool(readable) + 10


@pytest.mark.fault("test ids")
@given(st.text(st.characters(), max_size=200), st.integers(1, 9))
def test_the_folder_of_a_test_is_safe_on_every_file_system(nodeid, number):
    name = folder_of_test(nodeid, number).removeprefix("tests/")
    assert len(folder_of_test(nodeid, number).encode()) <= 100
    assert set(name) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-")
    assert name[0] not in ".-"
    assert name[-1] != "."


@given(st.lists(st.tuples(st.text(st.characters(), max_size=10), st.integers(1, 3)), unique=True))
def test_each_attempt_has_a_folder_of_its_own_whatever_the_case_of_its_name(attempts):
    assert len({folder_of_test(*each).lower() for each in attempts}) == len(attempts)


def test_the_folder_of_a_test_is_the_same_in_every_run():
    assert folder_of_test("tests/test_a.py::test_b", 1) == folder_of_test("tests/test_a.py::test_b", 1)


@pytest.mark.parametrize("nodeid", ["CON.py::test", "x" * 60 + "nul.py::" + "t" * 53])
def test_the_folder_of_a_test_is_no_device_of_windows(nodeid):
    devices = {"CON", "PRN", "AUX", "NUL", *(f"{port}{number}" for port in ("COM", "LPT") for number in range(10))}
    assert folder_of_test(nodeid, 1).removeprefix("tests/").partition(".")[0].upper() not in devices


def test_a_test_without_a_sample_in_it_has_an_empty_cell_for_what_samples_tell(folder, write):
    (folder / DATASET).write_text("elapsed_s,tests_resident_MB\n0.1,9.5\n0.2,10.5\n0.3,\n", encoding="ascii")
    write(TESTS, attempt("a", 0.05, 0.2), attempt("b", 0.25, 0.1), attempt("c", 0.4, 0.1))
    finalize(folder, 0.1)
    assert [row["tree_peak_memory_MB"] for row in folder.rows(TESTS)] == ["10.5", "", ""]


@given(
    st.lists(st.tuples(st.sampled_from(["test", "note", "cpu"]), st.text(max_size=8), st.text(max_size=8)), max_size=8)
)
def test_the_events_but_those_of_tests_are_all_others(tmp_path_factory, happened):
    folder = RunFolder(tmp_path_factory.mktemp("run"))
    rows = [Event(1.0, "start", "t1", kind, name, detail=text).row(CLOCK) for kind, name, text in happened]
    (folder / ANNOTATIONS).write_text(",".join(HEADERS[ANNOTATIONS]) + "\n" + "".join(rows), encoding="utf-8")
    assert folder.events_without_tests() == [row for row in folder.rows(ANNOTATIONS) if row["type"] != "test"]
