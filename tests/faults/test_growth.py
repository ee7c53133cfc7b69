"""Runs of a day, and of ten thousand tests: no process grows, and no descriptor stays open."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.fault("long runs"),
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]

SOAK = Path(__file__).parent.parent.parent / "benchmarks" / "soak.py"
MOST_MIB = 5.0
FEW_FILES = 5  # which a process may just be reading; one of each test, sample or load would be thousands
COUNT = 3_000
MANY = 10_000  # tests, of which the growth is told
ROWS_OF_A_DAY = 24 * 360  # one each ten seconds


@pytest.mark.parametrize("rows", [ROWS_OF_A_DAY // 24, pytest.param(ROWS_OF_A_DAY, marks=pytest.mark.slow)])
def test_a_sampler_does_not_grow_in_an_hour_or_a_day(rows):
    command = [sys.executable, SOAK, "--rows", str(rows), "--interval", "10"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert f"{rows + 1} in the file" in said
    assert float(re.search(r"grown since the first tenth: (\S+) MiB", said)[1]) < MOST_MIB
    assert int(re.search(r"more descriptors: (\S+)", said)[1]) <= 0


TESTS = """import pytest

@pytest.mark.parametrize("number", range({count}))
def test_it(number): pass
"""
LOOKS = """import json, psutil

ended = 0

def pytest_configure(config):
    global name
    name = getattr(config, "workerinput", {{}}).get("workerid", "pytest")

def held(process):
    # what the kernel may take from a process and give back later is not counted, nor is what it has moved to the disk
    with open(f"/proc/{{process.pid}}/status") as file:
        said = dict(line.split(":", 1) for line in file)
    return [sum(int(said[name].split()[0]) for name in ("RssAnon", "VmSwap")) / 2**10, process.num_fds()]

def pytest_runtest_logfinish():
    global ended
    ended += 1
    if ended in {looks_at}:
        me = psutil.Process()
        held_now = {{name: held(me)}}
        for each in me.children():
            if "sampler_main.py" in " ".join(each.cmdline()):
                held_now["sampler"] = held(each)
        with open("held.txt", "a") as file:
            print(json.dumps(held_now), file=file)
"""


def grown(start, tmp_path, first_at: int, last_at: int, *flags: str) -> dict[str, tuple[float, int]]:
    """MiB and descriptors by which each process of a run grew between two of its tests: pytest, workers, sampler."""
    (tmp_path / "conftest.py").write_text(LOOKS.format(looks_at=(first_at, last_at)))
    (tmp_path / "held.txt").unlink(missing_ok=True)
    unmeasured = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    run = start(TESTS.format(count=last_at + 10), *flags, env=unmeasured)  # its figures would be those of the coverage
    assert run.wait(280)[0] == 0
    first: dict[str, list[float]] = {}
    last: dict[str, list[float]] = {}
    for line in (tmp_path / "held.txt").read_text().splitlines():
        for process, held in json.loads(line).items():
            (last if process in first else first)[process] = held
    return {process: (last[process][0] - mib, last[process][1] - files) for process, (mib, files) in first.items()}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("count", "flags"),
    [(COUNT, []), (COUNT // 2, ["-p", "xdist.plugin", "--dist=each", "--tx=2*popen"])],
    ids=["alone", "workers"],
)
def test_thousands_of_tests_grow_pytest_by_their_figures_and_the_sampler_not_at_all(start, tmp_path, count, flags):
    # that each worker runs all of them makes the two runs alike
    first, last = count // 5, count - 10
    plain = grown(start, tmp_path, first, last, *flags)
    ours = grown(start, tmp_path, first, last, *flags, "--twin")
    assert ours.keys() == {*plain, "sampler"}
    for process, (mib, files) in ours.items():
        # pytest keeps each test and its reports to its end, with the figures in their properties
        usual_mib, _ = plain.get(process, (0.0, 0))
        assert (mib - usual_mib) * MANY / (last - first) < MOST_MIB, process
        assert abs(files) < FEW_FILES, process


HOLDS = """import gc
from pytest_twin.recording.attempt import RecordedAttempt
from pytest_twin.loads.applied import AppliedLoad

def pytest_runtest_logfinish():
    gc.collect()
    with open("held.txt", "a") as file:
        print([type(each).__name__ for each in gc.get_objects() if isinstance(each, (RecordedAttempt, AppliedLoad))],
              file=file)
"""
STRESSED = """import pytest

@pytest.mark.parametrize("number", range(3))
@pytest.mark.stress(cpu=1)
def test_it(number, stress_mem): stress_mem("1MiB")

@pytest.mark.twin_budget(slowdown=100, under="cpu=1", pairs=6)
def test_again(): pass
"""


def test_nothing_of_a_test_and_of_its_loads_is_kept_when_it_is_over(start, tmp_path):
    (tmp_path / "conftest.py").write_text(HOLDS)
    assert start(STRESSED).wait(280)[0] == 0
    assert (tmp_path / "held.txt").read_text().splitlines() == ["[]"] * 4


BESIDE_A_LOAD = """import psutil, pytest, time

def files():
    me = psutil.Process()
    return sum(each.num_fds() for each in (me, *me.children(recursive=True)))

@pytest.mark.stress(cpu="5%")
def test_it(twin_logger):
    def wait_for_rows(count):
        until = len(twin_logger.samples()) + count
        while len(twin_logger.samples()) < until:
            time.sleep(0.2)

    wait_for_rows(10)
    before = files()
    wait_for_rows(100)
    assert files() < before + 100
"""


@pytest.mark.slow
def test_no_file_stays_open_for_each_row_beside_a_load(start):
    assert start(BESIDE_A_LOAD, "--twin-interval=0.02").wait(280)[0] == 0
