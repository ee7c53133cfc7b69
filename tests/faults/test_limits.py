"""A system that gives little: memory, files, processes, CPUs, priority."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from runs import seconds_until_gone

pytestmark = [
    pytest.mark.fault("limits"),
    pytest.mark.skipif(sys.platform != "linux", reason="ulimit, taskset and control groups"),
]

PIDS = Path("/sys/fs/cgroup/pids") if Path("/sys/fs/cgroup/pids").is_dir() else Path("/sys/fs/cgroup")


def limited(words: str) -> list[str]:
    """What is to be put before a command, to have it run behind these of the shell."""
    return ["sh", "-c", f'{words} && exec "$@"', "sh"]


def test_a_load_that_has_no_memory_left_says_so_and_the_test_goes_on(run):
    body = "import pytest\n@pytest.mark.stress(mem='1GiB', cpu=1)\ndef test_it(): pass\n"
    done, status, said = run(body, "-W", "default", before=limited("ulimit -v 400000"))
    assert status == 0, said
    assert "TwinWarning: mem=1GiB: [Errno 12] Cannot allocate memory" in said
    assert done.loads("abort") == [("memory", "1GiB")]
    assert done.loads("end") == [("cpu", "1")]
    seconds_until_gone(done)


def test_more_files_than_may_be_open_are_refused_with_the_most_that_may(run):
    body = "import pytest\n@pytest.mark.stress(fds=5000, disk='1MB/s')\ndef test_it(): pass\n"
    done, status, said = run(body, "-W", "default", before=limited("ulimit -n 64"))
    assert status == 0, said
    assert "TwinWarning: fds=5000: cannot start: 5000 open files are too many" in said
    assert done.loads("abort") == [("files", "5000")]
    assert done.loads("end") == [("disk", "1MB/s")]


def test_too_few_files_for_a_recording_are_one_usage_error_before_any_test(run):
    left, status, said = run("def test_it(): open('it-ran', 'w')", "--twin", before=limited("ulimit -n 18"))
    assert status == pytest.ExitCode.USAGE_ERROR
    assert [line for line in said.splitlines() if line.startswith("ERROR")] == [
        "ERROR: the sampler cannot be started: Too many open files"
    ]
    assert "Traceback" not in said
    assert not (left.folder / "it-ran").exists()


FAMILY = """import csv, subprocess, time

def counts():
    with open("twin-report/system_metrics_dataset.csv", newline="") as file:
        return [row["tests_process_count"] for row in csv.DictReader(file)]

def test_it():
    children = [subprocess.Popen(["sleep", "600"]) for _ in range(100)]
    until = time.monotonic() + 60
    while not {seen} and time.monotonic() < until:
        time.sleep(0.1)
    for child in children:
        child.kill()
        child.wait()
"""


def most_processes(done) -> int:
    return max(int(row["tests_process_count"] or 0) for row in done.samples)


@pytest.mark.slow
def test_more_processes_than_a_usual_limit_has_files_for_are_counted_all(run):
    body = FAMILY.replace("{seen}", "any(int(count or 0) > 100 for count in counts())")
    done, status, said = run(body, "--twin", before=limited("ulimit -Sn 128"))
    assert status == 0, said
    assert most_processes(done) >= 101


def test_processes_that_there_are_no_files_for_are_said_to_be_unknown_and_not_to_be_gone(run):
    body = FAMILY.replace("{seen}", 'counts().count("") >= 3')
    done, status, said = run(body, "--twin", before=limited("ulimit -n 128"))
    assert status == 0, said
    assert "trees: NoMoreFilesError: too many open files to read all processes; raise the limit (ulimit -Hn)" in said
    assert most_processes(done) < 40
    assert sum(row["tests_process_count"] == "" for row in done.samples) >= 3
    assert {row["cpu_count_logical"] for row in done.samples} == {str(os.cpu_count())}
    (test,) = done.tests
    assert (test["outcome"], float(test["children_cpu_s"]) >= 0) == ("passed", True)


@pytest.fixture
def few_processes(eventually):
    """What is to be put before a command, to have it and all that it starts be so many processes and threads."""
    folder = PIDS / f"twin-test-few-{os.getpid()}"

    def few(most: int) -> list[str]:
        (folder / "pids.max").write_text(str(most))
        return limited(f"echo $$ > {folder}/cgroup.procs")

    try:
        folder.mkdir()
        if not (folder / "pids.max").exists():
            folder.rmdir()
            pytest.skip("there is no cgroup controller for processes here")
    except OSError as error:
        pytest.skip(f"a cgroup cannot be made here: {error.strerror}")
    yield few

    def removed() -> bool:
        try:
            folder.rmdir()
        except OSError:
            return False
        return True

    eventually(removed)


MANY = """import pytest

@pytest.mark.stress(cpu=20)
def test_it(): pass

@pytest.mark.stress(cpu=1)
def test_next(): pass
"""


def test_a_load_of_more_processes_than_there_may_be_says_so_and_the_next_is_there(run, few_processes):
    done, status, said = run(MANY, "-W", "default", before=few_processes(14))
    assert status == 0, said
    assert "TwinWarning: cpu=20: cannot start: [Errno 11] Resource temporarily unavailable" in said
    assert done.loads("abort") == [("cpu", "20")]
    assert done.loads("end") == [("cpu", "1")]
    seconds_until_gone(done)


@pytest.mark.parametrize("most", [1, pytest.param(2, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow)])
def test_where_not_even_ours_can_be_started_it_is_one_clear_line(run, few_processes, most):
    left, status, said = run(MANY, "--twin", "-W", "default", before=few_processes(most))
    assert status in {pytest.ExitCode.OK, pytest.ExitCode.USAGE_ERROR}, said
    assert "Traceback" not in said
    assert "Resource temporarily unavailable" in said or "can't start new thread" in said
    seconds_until_gone(left)


def test_on_one_cpu_a_share_is_of_that_one(run):
    cpu = min(os.sched_getaffinity(0))
    body = "import pytest, time\n@pytest.mark.stress(cpu='50%')\ndef test_it(): time.sleep(0.5)\n"
    done, status, said = run(body, before=["taskset", "-c", str(cpu)])
    assert status == 0, said
    (row,) = [row for row in done.events if row["event"] in {"end", "abort"} and row["target"]]
    figures = json.loads(row["detail"])
    assert figures["cpu_s"] <= 0.6 * figures["held_s"] + 0.1
    assert {row["usable_cpus"] for row in done.samples} == {"1.00"}


@pytest.mark.slow
def test_at_the_lowest_priority_all_is_there(run, unused_cpus):
    body = "import pytest\n@pytest.mark.stress(cpu=1, mem='10MiB')\ndef test_it(): pass\n"
    try:
        done, status, said = run(body, before=["nice", "-n", "19"])
        assert status == 0, said
        assert {kind for kind, _ in done.loads("start")} == {"cpu", "memory"}
        assert len(done.samples) > 0
    except (AssertionError, subprocess.TimeoutExpired):
        if (unused := unused_cpus()) < 0.1:  # of which it gets next to nothing
            pytest.skip(f"others left {unused:.0%} of the CPUs")
        raise
