"""``pytest-twin merge``: several run folders become one."""

from __future__ import annotations

import csv
import gzip
import json
import os

import pytest
from click.testing import CliRunner

import pytest_twin
from pytest_twin.cli import main
from pytest_twin.model import attempt_row
from pytest_twin.model.clock import Clock
from pytest_twin.model.csv_text import header, record
from pytest_twin.model.event import END, START, TEST, Event
from pytest_twin.run_folder.folder import RunFolder
from pytest_twin.run_folder.layout import (
    ANNOTATIONS,
    DATASET,
    FINGERPRINT,
    FLAKY,
    FLAKY_FAILURES,
    HEADERS,
    HOSTS,
    PROFILE,
    TESTS,
)


@pytest.fixture
def run(tmp_path):
    """Makes a run folder of a run that began then, with a test and two samples."""

    def made(name, epoch, own=""):
        folder, clock = RunFolder(tmp_path / name), Clock(0.0, epoch)
        folder.make()
        folder.release()
        folder.write_json(FINGERPRINT, {"pytest_twin": "0", "of": name})
        samples = "".join(f"{clock.stamp(at)},{at:.4f},-{at}\n" for at in (0.5, 1.5))
        (folder / DATASET).write_text("timestamp,elapsed_s,cpu_percent\n" + samples)
        events = [Event(1.0, START, "t1", TEST, "a.py::t"), Event(2.0, END, "t1", TEST, "a.py::t", detail="=passed")]
        (folder / ANNOTATIONS).write_text(header(HEADERS[ANNOTATIONS]) + "".join(each.row(clock) for each in events))
        cells = {"nodeid": "a.py::t", "attempt": 1, "outcome": "passed", "start": clock.stamp(1.0), "elapsed_s": "1.0"}
        cells["folder"] = own
        row = record([cells.get(column.name) for column in attempt_row.COLUMNS])
        (folder / TESTS).write_text(header(HEADERS[TESTS]) + row)
        if own:
            (folder / own).mkdir(parents=True)
            for file in (DATASET, ANNOTATIONS):
                (folder / own / file).write_bytes((folder / file).read_bytes())
        return folder.path

    return made


@pytest.fixture
def merge(tmp_path, monkeypatch):
    """Merges as typed; the lines that it prints."""
    monkeypatch.chdir(tmp_path)

    def merged(*words, status=0):
        done = CliRunner().invoke(main, ["merge", *words])
        assert done.exit_code == status, done.output
        return done.output.splitlines()

    return merged


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_what_pytest_counted_is_added_up_unless_one_of_the_runs_was_killed(run, merge, tmp_path):
    for name in "abc":
        run(name, 1000.0)
    for name, counted in (("a", {"passed": 2, "failed": 1}), ("b", {"passed": 3, "rerun": 1})):
        (tmp_path / name / "outcomes.json").write_text(json.dumps(counted))
    merge("a", "b", "-o", "two")
    assert pytest_twin.load(tmp_path / "two").outcomes == {"passed": 5, "failed": 1, "rerun": 1}
    merge("a", "b", "c", "-o", "three")
    assert pytest_twin.load(tmp_path / "three").outcomes == {}


def test_any_number_of_runs_become_one_on_one_time_axis(run, merge, tmp_path):
    for name, epoch in (("linux", 1000.0), ("mac", 1100.0), ("windows", 1050.0)):
        run(name, epoch)
    told = merge("linux", "mac", "windows", "-o", "all")
    assert told == [
        *(f"{name}: 2 samples, 2 events, 1 test" for name in ("linux", "mac", "windows")),
        f"files: all{os.sep}",
    ]
    events = rows(tmp_path / "all" / ANNOTATIONS)
    assert [(row["host"], float(row["elapsed_s"]), row["id"]) for row in events] == [
        (name, at + since, f"{name}/t1")
        for name, since in (("linux", 0), ("windows", 50), ("mac", 100))
        for at in (1, 2)
    ]
    assert {row["detail"] for row in events} == {"", "'=passed"}  # made safe once, not twice
    assert [row["host"] for row in rows(tmp_path / "all" / TESTS)] == ["linux", "windows", "mac"]
    stream = rows(tmp_path / "all" / "hosts" / "mac" / DATASET)
    assert [(row["elapsed_s"], row["cpu_percent"], row["host"]) for row in stream] == [
        ("100.5000", "-0.5", "mac"),
        ("101.5000", "-1.5", "mac"),
    ]
    hosts = json.loads((tmp_path / "all" / HOSTS).read_text())
    assert {name: host["fingerprint"]["of"] for name, host in hosts.items()} == {name: name for name in hosts}
    loaded = pytest_twin.load(tmp_path / "all").samples
    assert loaded["host"].tolist() == ["linux"] * 2 + ["windows"] * 2 + ["mac"] * 2
    assert loaded["cpu_percent"].sum() == -6.0


def test_what_was_merged_can_be_merged_again(run, merge, tmp_path):
    run("a", 10.0), run("b", 20.0), run("c", 30.0)
    merge("a", "b", "-o", "ab")
    merge("ab", "c", "-o", "all")
    assert [row["host"] for row in rows(tmp_path / "all" / TESTS)] == ["ab-a", "ab-b", "c"]
    assert sorted(path.name for path in (tmp_path / "all" / "hosts").iterdir()) == ["ab-a", "ab-b", "c"]
    merge("a", "c", "-o", "all")  # a later merge replaces it
    assert sorted(path.name for path in (tmp_path / "all" / "hosts").iterdir()) == ["a", "c"]


def test_the_folder_of_a_test_comes_along_on_the_same_axis_under_a_name_of_its_own(run, merge, tmp_path):
    for name, epoch in (("linux", 1000.0), ("mac", 1100.0)):
        run(name, epoch, own="tests/a.py-t-1234567890")
    merge("linux", "mac", "-o", "all")
    tests = rows(tmp_path / "all" / TESTS)
    folders = {row["host"]: tmp_path / "all" / row["folder"] for row in tests}
    assert len({*folders.values()}) == 2
    assert sorted((tmp_path / "all" / "tests").iterdir()) == sorted(folders.values())
    for host, began in (("linux", 0), ("mac", 100)):
        loaded = pytest_twin.load(folders[host])
        assert loaded.samples["elapsed_s"].tolist() == [began + 0.5, began + 1.5]
        assert loaded.events["elapsed_s"].tolist() == [began + 1, began + 2]
        assert {*loaded.samples["host"], *loaded.events["host"]} == {host}
        assert {*loaded.events["id"]} == {f"{host}/t1"}
    merge("all", "-o", "again")
    assert len({row["folder"] for row in rows(tmp_path / "again" / TESTS)}) == 2
    assert len(list((tmp_path / "again" / "tests").glob(f"*/{DATASET}"))) == 2
    merge("linux", "-o", "all")  # a later merge replaces it
    assert len(list((tmp_path / "all" / "tests").iterdir())) == 1


@pytest.mark.parametrize("damaged", ["tests/../../secret", "../secret", "tests/gone", "tests/link"])
def test_a_folder_that_is_not_a_tests_own_is_left_where_it_is(run, merge, tmp_path, damaged):
    run("a", 10.0, own="tests/real")
    run("secret", 10.0)
    (tmp_path / "a" / "tests" / "link").symlink_to(tmp_path / "secret")
    path = tmp_path / "a" / TESTS
    path.write_text(path.read_text().replace("tests/real", damaged))
    merge("a", "-o", "all")
    assert [row["folder"] for row in rows(tmp_path / "all" / TESTS)] == [""]
    assert not (tmp_path / "all" / "tests").exists()


def test_profiles_are_put_together_with_the_host_of_each(run, merge, tmp_path):
    for name, slowdown in (("linux", 2), ("mac", 3)):
        profile = {"timestamp": "2026-01-01T00:00:00.000Z", "nodeid": "a.py::t", "resource": "cpu", "level_percent": 50}
        line = record([{**profile, "slowdown": slowdown}.get(field) for field in HEADERS[PROFILE]])
        (run(name, 10.0) / PROFILE).write_text(header(HEADERS[PROFILE]) + line)
    run("windows", 10.0)
    merge("linux", "mac", "windows", "-o", "all")
    assert [(row["host"], row["nodeid"], row["slowdown"]) for row in rows(tmp_path / "all" / PROFILE)] == [
        ("linux", "a.py::t", "2"),
        ("mac", "a.py::t", "3"),
    ]
    merge("windows", "-o", "all")
    assert not (tmp_path / "all" / PROFILE).exists()


def test_findings_on_flaky_tests_are_put_together_with_the_host_and_the_failures_of_each(run, merge, tmp_path):
    for name, failures in (("linux", 2), ("mac", 3)):
        row = record([{"nodeid": f"{name}.py::t", "failures": failures}.get(field) for field in HEADERS[FLAKY]])
        folder = run(name, 10.0)
        (folder / FLAKY).write_text(header(HEADERS[FLAKY]) + row)
        (folder / FLAKY_FAILURES).write_text(json.dumps({f"{name}.py::t": {"idle": "E"}}))
    merge("linux", "mac", "-o", "all")
    found = [(row["host"], row["nodeid"], row["failures"]) for row in rows(tmp_path / "all" / FLAKY)]
    assert found == [("linux", "linux.py::t", "2"), ("mac", "mac.py::t", "3")]
    document = json.loads((tmp_path / "all" / FLAKY_FAILURES).read_text())
    assert document == {"linux.py::t": {"idle": "E"}, "mac.py::t": {"idle": "E"}}


def test_what_a_killed_run_left_is_merged_too(run, merge, tmp_path):
    killed = run("killed", 10.0)
    with (killed / DATASET).open("a") as file:
        file.write("1970-01-01T00:00:12.500Z,2.5000\nno time,2.6,1\n1970-01-01T00:00:13.5")
    (killed / ANNOTATIONS).rename(killed / "annotations.part-gw0.csv")
    (killed / TESTS).unlink()
    assert merge("killed", "-o", "all")[0] == "killed: 2 samples, 2 events, 3 lines could not be read"


def test_a_long_dataset_is_read_from_all_its_pieces(run, merge, tmp_path):
    long = run("long", 10.0)
    text = (long / DATASET).read_bytes()
    (long / "system_metrics_dataset.0001.csv.gz").write_bytes(gzip.compress(text))
    assert merge("long", "-o", "all")[0] == "long: 4 samples, 2 events, 1 test"


def test_what_cannot_be_merged_is_one_clear_line(run, merge, tmp_path):
    run("a", 10.0)
    (tmp_path / "nothing").mkdir()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "tests.csv").write_text("of somebody else\n")
    for words, said in [
        (["a", "nothing", "-o", "x"], f"nothing has no {DATASET}, {ANNOTATIONS} or {TESTS}; give the folder of a run"),
        (["a", "gone", "-o", "x"], f"gone has no {DATASET}, {ANNOTATIONS} or {TESTS}; give the folder of a run"),
        (["a", "-o", "a"], "a contains a run to merge; choose another directory"),
        (["a", "-o", "."], ". contains a run to merge; choose another directory"),
        (["a", "-o", "mine"], f"{tmp_path / 'mine'} has a tests.csv that no run wrote; choose another directory"),
    ]:
        assert merge(*words, status=1) == [f"Error: {said}"]
    assert not (tmp_path / "x").exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_run_that_may_not_be_read_is_one_clear_line(run, merge, tmp_path):
    (run("a", 10.0) / TESTS).chmod(0)
    assert merge("a", "-o", "x", status=1) == [f"Error: {tmp_path / 'a' / TESTS}: Permission denied"]


@pytest.mark.parametrize("again", ["a", "./a/", "b/../a", "link"])
def test_a_run_that_is_given_twice_is_refused(run, merge, tmp_path, again):
    run("a", 1000.0)
    run("b", 1000.0)
    (tmp_path / "link").symlink_to("a")
    (told,) = merge("a", "b", again, "-o", "all", status=1)
    assert told.startswith("Error: ")
    assert told.endswith("; give each run once")
    assert not (tmp_path / "all").exists()


def test_a_host_behind_a_link_is_not_merged(run, merge, tmp_path):
    run("a", 1000.0)
    run("elsewhere", 1000.0)
    hosts = tmp_path / "a" / "hosts"
    (hosts / "file").mkdir(parents=True)
    (hosts / "folder").symlink_to(tmp_path / "elsewhere")
    (hosts / "file" / DATASET).symlink_to(tmp_path / "elsewhere" / DATASET)
    assert merge("a", "-o", "all")[0] == "a: 2 samples, 2 events, 1 test"
    assert [path.name for path in (tmp_path / "all" / "hosts").iterdir()] == ["a"]


def test_hosts_behind_a_link_are_not_merged(run, merge, tmp_path):
    run("a", 1000.0)
    run("elsewhere/far", 1000.0)
    (tmp_path / "a" / "hosts").symlink_to(tmp_path / "elsewhere")
    assert merge("a", "-o", "all")[0] == "a: 2 samples, 2 events, 1 test"
