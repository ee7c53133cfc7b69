"""Measure the slowdown of a CPU-bound test body by sampling at 100 Hz, with a fixed amount of work.

    python benchmarks/slowdown.py --rounds 30

It is measured with one working process, and with one for each CPU, where the sampler competes with them.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from _shared import helper, interleaved, line_of, ratios, show

from pytest_twin.analysis.stats.quantiles import quantile_interval
from pytest_twin.analysis.stats.signed_rank import TooFewError
from pytest_twin.recording.recording import SAMPLER_PROGRAM
from pytest_twin.telemetry.sampler import SamplerClient
from pytest_twin.telemetry.sampler_config import SamplerConfig

BODY = """import sys, time
def work(count):
    total = 0
    for number in range(count): total += number * number % 7
    return total
clock = time.process_time if sys.argv[1] == 'cpu' else time.perf_counter
print('there', flush=True)
for line in sys.stdin:
    began = clock()
    work(int(line))
    print(clock() - began, flush=True)
"""
PER_SECOND = 10_000_000  # approximate steps of the work per second


def body(processes: int, seconds: float, clock: str) -> float:
    """Return the mean duration of the work in this number of processes at once."""
    with ExitStack() as stack:
        working = [stack.enter_context(helper(BODY, clock)) for _ in range(processes)]
        for each in working:
            line_of(each)
        for each in working:
            assert each.stdin is not None  # noqa: S101 - for the type checker
            each.stdin.write(f"{int(seconds * PER_SECOND)}\n".encode())
            each.stdin.flush()
        return sum(float(line_of(each)) for each in working) / processes


def sampled(run: Callable[[], float], hz: float) -> float:
    """Return the same while this process and its descendants are sampled."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "rows.csv")
        config = SamplerConfig(1 / hz, has_tests=True, path=path, began=time.monotonic(), epoch=time.time())
        sampler = SamplerClient(config, SAMPLER_PROGRAM)
        sampler.start()
        try:
            return run()
        finally:
            sampler.stop()


def compare(processes: int, given: argparse.Namespace) -> None:
    """Print both durations and their ratio."""

    def alone() -> float:
        return body(processes, given.seconds, given.clock)

    times = interleaved({"alone": alone, "sampled": lambda: sampled(alone, given.hz)}, given.rounds)
    print(f"{processes} working")
    for name, values in times.items():
        show(f"  {name}", values, "s")
    slower = [100 * (ratio - 1) for ratio in ratios(times["sampled"], times["alone"])]
    show("  slower by", slower, "%", "at most 1")
    try:
        low, _, high = quantile_interval(slower, 0.5)
        print(f"  95 % confidence interval of the median: {low:.2f} % to {high:.2f} %")
    except TooFewError:
        print("  too few rounds for a confidence interval of the median")


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30, help="number of rounds")
    parser.add_argument("--seconds", type=float, default=2, help="approximate duration of the work")
    parser.add_argument("--hz", type=float, default=100, help="samples per second")
    parser.add_argument(
        "--clock",
        choices=["wall", "cpu"],
        default="wall",
        help="cpu is robust on a busy machine, but excludes the time for which the sampler used the CPU of the body",
    )
    given = parser.parse_args()
    for processes in sorted({1, os.cpu_count() or 1}):
        compare(processes, given)


if __name__ == "__main__":
    main()
