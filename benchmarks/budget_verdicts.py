"""Measure how often the verdict of a slowdown budget is wrong, with the noise of this machine and a known slowdown.

    python benchmarks/budget_verdicts.py --verdicts 100

The same work is timed in pairs, as for a budget, and the "stressed" run of each pair does a known multiple of it. The
true slowdown is this multiple, so each verdict is right, wrong or inconclusive. The verdicts of two other intervals of
the same pairs are printed too: a bootstrap of the median, which is too short for few pairs, and order statistics of the
median, which make no assumption about the noise and are less powerful.
"""

from __future__ import annotations

import argparse
import math
import time
from collections import Counter
from collections.abc import Callable, Mapping

import numpy as np
from _shared import show, show_one

from pytest_twin.analysis.budgets.budget import OK, OVER, UNKNOWN, Slowdown
from pytest_twin.analysis.budgets.parser import FEWEST_PAIRS
from pytest_twin.analysis.budgets.repetitions import Repetition, RunPair, randomized_order, slowdown
from pytest_twin.analysis.stats.quantiles import quantile_interval
from pytest_twin.loads.validation import read_load

PIECES = 400  # about 20 ms: twice the work takes more than twice as long below a time slice of the scheduler
PIECE = range(1000)
RESAMPLES = 1000
WRONG = 2.5  # per cent outside a 95 % interval on one side


def timed(pieces: int, clock: Callable[[], float]) -> Repetition:
    """Return a body that repeats the same work this many times."""
    began = clock()
    for _ in range(pieces):
        sum(number * number % 7 for number in PIECE)
    return Repetition(clock() - began, achieved=("",))


def pairs(true: float, count: int, seed: int, clock: Callable[[], float]) -> list[RunPair]:
    """Measure pairs as for a budget."""
    found = []
    for turn in randomized_order(count, 0, seed):
        runs = {is_stressed: timed(round(PIECES * (true if is_stressed else 1.0)), clock) for is_stressed in turn}
        found.append(RunPair(runs[False], runs[True]))
    return found


def bootstrap(logs: list[float]) -> tuple[float, float]:
    """Return the bootstrap interval of the median."""
    draw = np.random.default_rng(0)
    medians = np.median(np.array(logs)[draw.integers(len(logs), size=(RESAMPLES, len(logs)))], axis=1)
    low, high = np.quantile(medians, [0.025, 0.975])
    return float(low), float(high)


def ordered(logs: list[float]) -> tuple[float, float]:
    """Return the interval of the median by order statistics."""
    low, _, high = quantile_interval(logs, 0.5)
    return low, high


PEERS: Mapping[str, Callable[[list[float]], tuple[float, float]]] = {"bootstrap": bootstrap, "order": ordered}


def said(interval: tuple[float, float], limit: float) -> str:
    """Return the verdict for an interval of logarithms."""
    low, high = interval
    return OVER if low > math.log(limit) else OK if high <= math.log(limit) else UNKNOWN


def judge(true: float, limit: float, given: argparse.Namespace, goal: str) -> None:
    """Print the counts of the verdicts."""
    asked = Slowdown(limit, read_load({"cpu": 1}), given.pairs)
    clock = time.perf_counter if given.clock == "wall" else time.process_time
    counts = {name: Counter[str]() for name in ("ours", *PEERS)}
    all_logs = []
    for seed in range(given.verdicts):
        measured = pairs(true, given.pairs, seed, clock)
        logs = [math.log(pair.stressed.wall_s / pair.idle.wall_s) for pair in measured]
        all_logs += logs
        counts["ours"][slowdown(asked, measured).verdict] += 1
        for name, interval in PEERS.items():
            counts[name][said(interval(logs), limit)] += 1
    print(f"true slowdown {true:g}, limit {limit:g}, {given.pairs} pairs")
    show("  ratio of a pair", [math.exp(each) for each in all_logs])
    for name, verdicts in counts.items():
        for verdict in (OVER, OK, UNKNOWN):
            beside = goal.partition(" ")[2] if goal.startswith(verdict) and name == "ours" else ""
            show_one(f"  {name}: {verdict}", 100 * verdicts[verdict] / given.verdicts, "%", beside)


def main() -> None:
    """Judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--verdicts", type=int, default=100, help="number of verdicts of each sort")
    parser.add_argument("--pairs", type=int, default=10, help=f"pairs for each verdict, at least {FEWEST_PAIRS}")
    parser.add_argument(
        "--clock", choices=["wall", "cpu"], default="wall", help="cpu excludes the noise of other processes"
    )
    given = parser.parse_args()
    if given.pairs < FEWEST_PAIRS:
        parser.error(f"--pairs: {given.pairs} pairs are too few; give at least {FEWEST_PAIRS}")
    judge(1.0, 1.0, given, f"{OVER} at most {WRONG}")
    judge(2.0, 2.0, given, f"{OVER} at most {WRONG}")
    judge(1.0, 1.2, given, f"{OVER} 0")
    judge(1.2, 1.1, given, f"{OVER} at least 50")
    judge(1.5, 1.2, given, f"{OVER} at least 90")
    judge(2.5, 2.0, given, f"{OVER} at least 90")


if __name__ == "__main__":
    main()
