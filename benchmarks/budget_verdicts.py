"""How often a slowdown budget is wrong: on this machine, with its noise, where the true slowdown is known.

    python benchmarks/budget_verdicts.py --verdicts 200

The same work is timed in pairs as a budget does it, and the "stressed" run of each pair does a known multiple of it. So
the true slowdown is that multiple, whatever the machine does, and each verdict is right, wrong or inconclusive. Beside
it, what bootstrap intervals of the same pairs would have said.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable

from _shared import show_one

from pytest_twin.analysis.intervals import of_ratio
from pytest_twin.analysis.repetitions import Pair, Repetition, slowdown, turns
from pytest_twin.loads import read_load
from pytest_twin.model.budget import OK, OVER, UNKNOWN, Slowdown

STEPS = 100_000  # several milliseconds: what is done in less than a turn of the scheduler is not slowed in proportion
WRONG = 2.5  # per cent: what an interval of 95 % leaves out on one side


def timed(steps: int, clock: Callable[[], float]) -> Repetition:
    """A body that does so many steps."""
    began = clock()
    total = 0
    for number in range(steps):
        total += number * number % 7
    return Repetition(clock() - began, achieved=("",))


def pairs(true: float, count: int, seed: int, clock: Callable[[], float]) -> list[Pair]:
    """Pairs as a budget measures them."""
    found = []
    for turn in turns(count, 0, seed):
        runs = {is_stressed: timed(round(STEPS * (true if is_stressed else 1.0)), clock) for is_stressed in turn}
        found.append(Pair(runs[False], runs[True]))
    return found


def bootstrapped(measured: list[Pair], limit: float) -> str:
    """The verdict of a bootstrap interval."""
    low, _, high = of_ratio([pair.stressed.wall_s for pair in measured], [pair.idle.wall_s for pair in measured])
    return OVER if low > limit else OK if high <= limit else UNKNOWN


def judge(true: float, limit: float, given: argparse.Namespace, goal: str) -> None:
    """Print how often the verdicts are what."""
    asked = Slowdown(limit, read_load({"cpu": 1}), "cpu:1", given.pairs)
    clock = time.perf_counter if given.clock == "wall" else time.process_time
    ours, peers = Counter[str](), Counter[str]()
    for seed in range(given.verdicts):
        measured = pairs(true, given.pairs, seed, clock)
        ours[slowdown(asked, measured).verdict] += 1
        peers[bootstrapped(measured, limit)] += 1
    print(f"truly {true:g} times as slow, {limit:g} allowed, {given.pairs} pairs")
    for name, counts in (("ours", ours), ("bootstrap", peers)):
        for verdict in (OVER, OK, UNKNOWN):
            beside = goal.partition(" ")[2] if goal.startswith(verdict) and name == "ours" else ""
            show_one(f"  {name}: {verdict}", 100 * counts[verdict] / given.verdicts, "%", beside)


def main() -> None:
    """Judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--verdicts", type=int, default=200, help="how many of each")
    parser.add_argument("--pairs", type=int, default=10, help="pairs for each verdict")
    parser.add_argument(
        "--clock", choices=["wall", "cpu"], default="wall", help="cpu: without the noise of what else runs here"
    )
    given = parser.parse_args()
    judge(1.0, 1.0, given, f"{OVER} at most {WRONG}")
    judge(2.0, 2.0, given, f"{OVER} at most {WRONG}")
    judge(1.0, 1.2, given, f"{OVER} 0")
    judge(1.2, 1.1, given, f"{OVER} at least 50")
    judge(1.5, 1.2, given, f"{OVER} at least 90")
    judge(2.5, 2.0, given, f"{OVER} at least 90")


if __name__ == "__main__":
    main()
