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
MOST_KIB_A_TEST = 2.0  # pytest keeps each test to the end, with the figures in its properties
FIRST, LAST = 2000, 9999
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
    assert (pytest_mib - plain) * 1024 / (LAST - FIRST) < MOST_KIB_A_TEST
    assert sampler_mib < MOST_MIB
    assert (pytest_files, sampler_files) == (0, 0)
