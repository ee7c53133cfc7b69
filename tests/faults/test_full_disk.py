"""A disk that is full: of the report, at its start, in its middle and at its end."""

from __future__ import annotations

import os
import re
import sys

import pytest
from runs import seconds_until_gone

from pytest_twin._system import private_files
from pytest_twin._system.append_file import AppendOnlyFile
from pytest_twin.run_folder.folder import RunFolder, RunFolderError

pytestmark = [
    pytest.mark.fault("disk full"),
    pytest.mark.skipif(sys.platform != "linux", reason="/dev/full and user namespaces"),
]

FILL = """
def test_fills():
    with open("report/filler", "wb", buffering=0) as file:
        try:
            while True: file.write(bytes(4096))
        except OSError: pass
"""
FILLS = f"""import os, pytest, shutil, time

@pytest.fixture(scope="session", autouse=True)
def copy():
    yield
    for name in os.listdir("report"):
        if os.path.isfile("report/" + name): shutil.copy("report/" + name, "kept")

def test_before(twin_logger): twin_logger.annotate("before")
{FILL}
@pytest.mark.parametrize("number", range(30))
def test_after(number, twin_logger):
    twin_logger.annotate("x" * 300)
    time.sleep(0.02)
def test_room():
    if {{room}}: os.unlink("report/filler")
"""


@pytest.mark.parametrize("room", [True, False])
def test_tests_go_on_and_the_rows_that_were_dropped_are_counted(run, disk, tmp_path, room):
    (tmp_path / "kept").mkdir()
    flags = ["--twin", "--twin-interval=0.02", "--twin-report-dir=report", "--twin-per-test=all"]
    _, status, said = run(FILLS.replace("{room}", str(room)), *flags, before=disk("8m"))
    assert status == 0, said
    assert "33 passed" in said
    assert " rows could not be written" in said
    assert "warning: rows cannot be written: No space left on device" in said
    assert "Traceback" not in said
    assert ("warning: the files could not be completed: No space left on device" in said) != room
    for name in ("annotations.csv", "system_metrics_dataset.csv", "tests.csv"):
        header, *lines = (tmp_path / "kept" / name).read_text().split("\n")
        assert lines[-1] == ""
        assert all(line.count(",") >= header.count(",") for line in lines[:-1]), name


WORKER_FILLS = f"""import os, pytest

{FILL}
@pytest.mark.parametrize("number", range(30))
def test_after(number, twin_logger): twin_logger.annotate("x" * 300)

def test_room(): os.unlink("report/filler")
"""


def test_the_rows_that_workers_dropped_are_counted_too(run, disk):
    flags = ["-p", "xdist.plugin", "-n1", "--twin", "--twin-interval=60", "--twin-report-dir=report"]
    done, status, said = run(WORKER_FILLS, *flags, before=disk("200k"))
    assert status == 0, said
    assert "32 passed" in said
    seconds_until_gone(done)
    (dropped,) = re.findall(r"tests, (\d+) rows could not be written", said)
    assert int(dropped) > 60  # start, note, end and row of a test, most of them


def test_a_disk_without_any_room_is_one_usage_error_before_any_test(run, disk):
    before = [*disk("16k"), "sh", "-c", 'dd if=/dev/zero of=report/filler 2>/dev/null; exec "$@"', "sh"]
    left, status, said = run("def test_it(): open('it-ran', 'w').close()", "--twin", "--twin-report-dir=report",
                             before=before)  # fmt: skip
    assert status == pytest.ExitCode.USAGE_ERROR, said
    (line,) = [line for line in said.splitlines() if line.startswith("ERROR:")]
    assert line == (
        f"ERROR: --twin-report-dir: {left.folder / 'report'} cannot be written (No space left on device); "
        "choose another directory"
    )
    assert not (left.folder / "it-ran").exists()


def test_a_device_without_room_takes_no_row():
    with pytest.raises(OSError, match="No space left on device"):
        AppendOnlyFile("/dev/full", "a,b\n")


def test_a_file_that_does_not_become_whole_leaves_what_was_there(tmp_path, monkeypatch):
    real = os.open

    def full(path, flags, mode=0o777, *, dir_fd=None):
        if str(path).endswith(".json.tmp"):
            return real("/dev/full", os.O_WRONLY)
        return real(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(private_files.os, "open", full)
    folder = RunFolder(tmp_path)
    (folder / "x.json").write_text("{}")
    with pytest.raises(RunFolderError) as caught:
        folder.write_json("x.json", {"a": 1})
    assert str(caught.value) == f"{tmp_path / 'x.json'}: No space left on device"
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]
    assert (folder / "x.json").read_text() == "{}"
