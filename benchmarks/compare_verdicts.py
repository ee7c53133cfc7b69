"""Measure the false alarms of comparisons, and how often they find 20 % more CPU time, with runs of this machine.

    python benchmarks/compare_verdicts.py --runs 60 --times 200

A small suite is run repeatedly with ``pytest --twin-save``, which takes a few seconds a run. Each of its eight tests
takes about 60 ms and has a variant with 20 % more steps. Groups of complete runs are compared as by ``pytest-twin
compare``. No run is in both groups:

- identical, drawn: both groups are drawn at random from all runs;
- identical, in a row: the second group consists of the runs right after those of the first, as in a measurement before
  and after a change; it includes a drift of the machine;
- slower: as above, but one test of the second group is its variant with 20 % more steps.

An alarm is a comparison that reports a test as more or less in any measure. Alarms of all tests together are counted
separately, because the machine can cause them, as the comparison says.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
from _shared import show, show_one

from pytest_twin import load
from pytest_twin.analysis.comparison.comparison import Comparison, compare
from pytest_twin.analysis.comparison.side import Side
from pytest_twin.analysis.comparison.verdicts import MORE, SAME
from pytest_twin.model.measure import parse_limit
from pytest_twin.run_folder.baselines import find

SUITE = """
import hashlib, json, random, re
import pytest

MORE = 1.2

def whole(steps): return sum(number * number % 7 for number in range(int(steps * 1_000_000)))
def floats(steps):
    x = 0.5
    for _ in range(int(steps * 1_200_000)): x = 3.7 * x * (1 - x)
def ordered(steps):
    draw = random.Random(1)
    for _ in range(int(steps * 230)): sorted(draw.random() for _ in range(2_000))
def documents(steps):
    for _ in range(int(steps * 400)): json.loads(json.dumps([{"name": str(at), "at": at} for at in range(200)]))
def words(steps):
    for _ in range(int(steps * 800)): re.findall(r"(\\w+)@(\\w+)\\.com", "some one@two.com and more " * 100)
def digests(steps):
    for _ in range(int(steps * 200)): hashlib.sha256(bytes(500_000)).digest()
def tables(steps):
    for _ in range(int(steps * 150)): {number: str(number) for number in range(5_000)}
def copies(steps):
    for _ in range(int(steps * 45)): bytes(bytearray(1_500_000))

BODIES = [whole, floats, ordered, documents, words, digests, tables, copies]

@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
def test_usual(body): body(1)

@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
def test_slower(body): body(MORE)
"""
USUAL, SLOWER = "test_usual[", "test_slower["
LIMIT = parse_limit("cpu_seconds>10%")


def measured(directory: Path, runs: int) -> list[pd.DataFrame]:
    """Return the tests of this number of runs in order; existing runs in the directory are reused."""
    suite = directory / "test_suite.py"
    directory.mkdir(exist_ok=True)
    suite.write_text(SUITE)
    (directory / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--twin-save=pool", suite.name]
    for _ in range(runs - len(list(directory.glob(".twin-baselines/pool/*")))):
        subprocess.run(command, cwd=directory, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return [bare(load(path).tests) for path in find("pool", directory / ".twin-baselines", directory).paths]


def bare(tests: pd.DataFrame) -> pd.DataFrame:
    """Remove the metadata of the columns, which pandas would copy with each group."""
    tests.attrs = {}
    return tests


def usual(run: pd.DataFrame) -> pd.DataFrame:
    """Return the tests without their variants."""
    return run[run["nodeid"].str.contains(USUAL, regex=False)]


def slower(run: pd.DataFrame, body: str) -> pd.DataFrame:
    """Return the tests, with one replaced by its variant."""
    variant = run[run["nodeid"].str.endswith(f"{SLOWER}{body}]")]
    others = usual(run)
    others = others[~others["nodeid"].str.endswith(f"[{body}]")]
    return pd.concat([others, variant.assign(nodeid=f"test_suite.py::{USUAL}{body}]")])


def compared(before: Sequence[pd.DataFrame], after: Sequence[pd.DataFrame]) -> Comparison:
    """Compare as the command line does, with a limit."""
    return compare(Side("before", before, [{"": None}]), Side("after", after, [{"": None}]), [LIMIT])


def drawn(draw: random.Random, runs: int, size: int) -> tuple[list[int], list[int]]:
    """Draw two groups of runs at random."""
    found = draw.sample(range(runs), 2 * size)
    return found[:size], found[size:]


def in_a_row(draw: random.Random, runs: int, size: int) -> tuple[list[int], list[int]]:
    """Choose two groups of runs that follow each other."""
    first = draw.randrange(runs - 2 * size + 1)
    return list(range(first, first + size)), list(range(first + size, first + 2 * size))


Groups = Callable[[random.Random, int, int], tuple[list[int], list[int]]]


def alarms(runs: Sequence[pd.DataFrame], groups: Groups, size: int, times: int, goal: str) -> None:
    """Print the number of comparisons of identical runs that report a difference."""
    draw, called, whole, broken = random.Random(1), 0, 0, 0
    for _ in range(times):
        before, after = groups(draw, len(runs), size)
        came = compared([usual(runs[at]) for at in before], [usual(runs[at]) for at in after])
        called += bool(came.changed)
        whole += any(each.verdict != SAME for each in came.whole)
        broken += bool(came.broken)
    show_one(f"  identical, {said(groups)}: alarms", 100 * called / times, "%", goal)
    show_one(f"  identical, {said(groups)}: all tests together", 100 * whole / times, "%")
    show_one(f"  identical, {said(groups)}: {LIMIT}", 100 * broken / times, "%", goal)


def power(runs: Sequence[pd.DataFrame], groups: Groups, size: int, times: int, goal: str) -> None:
    """Print how many comparisons find the test with 20 % more, and how many report the limit of 10 % as exceeded."""
    bodies = [name.partition("[")[2].rstrip("]") for name in usual(runs[0])["nodeid"]]
    draw, called, broken = random.Random(2), 0, 0
    for _ in range(times):
        before, after = groups(draw, len(runs), size)
        body = draw.choice(bodies)
        came = compared([usual(runs[at]) for at in before], [slower(runs[at], body) for at in after])
        ours = [
            each for each in came.differences if each.test.endswith(f"[{body}]") and each.measure.name == "cpu_seconds"
        ]
        called += any(each.verdict == MORE for each in ours)
        broken += any(each.broken for each in ours)
    show_one(f"  slower, {said(groups)}: found", 100 * called / times, "%", goal)
    show_one(f"  slower, {said(groups)}: {LIMIT}", 100 * broken / times, "%")


def said(groups: Groups) -> str:
    """Return the name of a method to choose groups."""
    return groups.__name__.replace("_", " ")


def noise(runs: Sequence[pd.DataFrame]) -> None:
    """Print the noise of identical tests, and the increase in CPU time by 20 % more steps."""
    tests = pd.concat([run.assign(run=at) for at, run in enumerate(runs)])
    tests["cpu_s"] = tests["cpu_user_s"] + tests["cpu_system_s"]
    grid = tests.pivot_table(index="run", columns="nodeid", values="cpu_s")
    usuals = [name for name in grid if USUAL in name]
    spread = 100 * grid[usuals].std() / grid[usuals].mean()
    show("CPU time of a test: spread from run to run", spread.tolist(), "%")
    means = grid[usuals].div(grid[usuals].median()).median(axis=1)
    show("CPU time of a run, all tests together", means.tolist())
    more = [grid[name.replace(USUAL, SLOWER)].median() / grid[name].median() for name in usuals]
    show("CPU time of the variants, as a ratio", more)
    added = [1000 * (grid[name.replace(USUAL, SLOWER)].median() - grid[name].median()) for name in usuals]
    show("CPU time added by the variants", added, "ms")
    floor = 1000 * LIMIT.measure.floor
    told = sum(each >= floor for each in added)
    print(f"  {told} of {len(added)} add at least {floor:g} ms, the smallest difference that is reported")


def main() -> None:
    """Measure and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=60, help="number of runs of the suite")
    parser.add_argument("--times", type=int, default=200, help="number of comparisons of each kind")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 20], help="numbers of runs in a group")
    parser.add_argument(
        "--directory", type=Path, help="keep the runs in this directory and reuse them (default: do not keep them)"
    )
    given = parser.parse_args()
    if given.directory is None and given.runs < 2 * max(given.sizes):
        parser.error(
            f"--runs: {given.runs} runs are too few for two groups of {max(given.sizes)}; increase it or reduce --sizes"
        )
    with tempfile.TemporaryDirectory() as temporary:
        runs = measured(given.directory or Path(temporary), given.runs)
    print(f"{len(runs)} runs of {len(usual(runs[0]))} tests and their variants")
    noise(runs)
    for size in given.sizes:
        print(f"{size} runs against {size}, {given.times} times")
        for groups in (drawn, in_a_row):
            alarms(runs, groups, size, given.times, "at most 5")
            power(runs, groups, size, given.times, "at least 90")


if __name__ == "__main__":
    main()
