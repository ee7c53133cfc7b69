"""Runs of a day, and of ten thousand tests: no process grows, and no descriptor stays open."""

from __future__ import annotations

import json
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
COUNT, FIRST, LAST = 10_000, 2000, 9999
ROWS_OF_A_DAY = 24 * 360  # one each ten seconds


@pytest.mark.parametrize("rows", [ROWS_OF_A_DAY // 24, pytest.param(ROWS_OF_A_DAY, marks=pytest.mark.slow)])
def test_a_sampler_does_not_grow_in_an_hour_or_a_day(rows):
    command = [sys.executable, SOAK, "--rows", str(rows), "--interval", "10"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert f"{rows} in the file" in said
    assert float(re.search(r"grown since the first tenth: (\S+) MiB", said)[1]) < MOST_MIB
    assert int(re.search(r"more descriptors: (\S+)", said)[1]) <= 0


TESTS = """import pytest

@pytest.mark.parametrize("number", range(10_000))
def test_it(number): pass
"""
LOOKS = """import json, psutil

def pytest_runtest_logfinish(nodeid):
    if int(nodeid.partition("[")[2][:-1]) in {looks_at}:
        of_all = [psutil.Process(), *psutil.Process().children(recursive=True)]
        with open("held.txt", "a") as file:
            print(json.dumps([[each.memory_info().rss / 2**20, each.num_fds()] for each in of_all]), file=file)
"""


def grown(start, tmp_path, *flags: str) -> list[tuple[float, int]]:
    """MiB and descriptors by which each process of a run grew between two tests: pytest, and what it started."""
    (tmp_path / "conftest.py").write_text(LOOKS.format(looks_at=(FIRST, LAST)))
    (tmp_path / "held.txt").unlink(missing_ok=True)
    assert start(TESTS, "-p", "no:terminal", *flags).wait(300)[0] == 0
    first, last = map(json.loads, (tmp_path / "held.txt").read_text().splitlines())
    return [(after[0] - before[0], after[1] - before[1]) for before, after in zip(first, last, strict=True)]


@pytest.mark.slow
def test_ten_thousand_tests_grow_pytest_by_their_figures_and_the_sampler_not_at_all(start, tmp_path):
    ((plain, _),) = grown(start, tmp_path)
    (pytest_mib, pytest_files), (sampler_mib, sampler_files) = grown(start, tmp_path, "--twin")
    # pytest keeps each test and its reports to its end, with the figures in their properties
    assert (pytest_mib - plain) * COUNT / (LAST - FIRST) < MOST_MIB
    assert sampler_mib < MOST_MIB
    assert (pytest_files, sampler_files) == (0, 0)


HOLDS = """import gc
from pytest_twin.attempt import Attempt
from pytest_twin.applied import Applied

def pytest_runtest_logfinish():
    gc.collect()
    with open("held.txt", "a") as file:
        print([type(each).__name__ for each in gc.get_objects() if isinstance(each, (Attempt, Applied))], file=file)
"""
STRESSED = """import pytest

@pytest.mark.parametrize("number", range(3))
@pytest.mark.stress(cpu=1)
def test_it(number, stress_mem): stress_mem("1MiB")

@pytest.mark.twin_budget(slowdown=100, under="cpu:1", pairs=6)
def test_again(): pass
"""


def test_nothing_of_a_test_and_of_its_loads_is_kept_when_it_is_over(start, tmp_path):
    (tmp_path / "conftest.py").write_text(HOLDS)
    assert start(STRESSED).wait(300)[0] == 0
    assert (tmp_path / "held.txt").read_text().splitlines() == ["[]"] * 4
