"""Measure what pytest-twin costs: beside each test, in the sampler, at the end of a session, and when a run is read.

    python benchmarks/cost.py --peers-python peers/bin/python
    python benchmarks/cost.py --only tests

It prints one table, with the goal of each figure and the peers beside it; each part is also a script of its own.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import monitors
import public_suites
import reading
import row_cost
import sampler_share
import session_end
import test_instructions
import trivial_tests
from _shared import Figure, differences, interleaved, ratios, show

HZ, SAMPLER_S, MONITOR_S, WARM_UP_S = 10, 30.0, 20, 4.0
PROCESSES, ROWS_REPEATED = 1000, 100
SAMPLES, TESTS_AT_END, TESTS_IN_MEMORY = 36_000, 10_000, 20_000
DAY_AT_10_HZ = 864_000
Given = argparse.Namespace


def of_tests(given: Given) -> list[Figure]:
    """Return the cost of recording tests that do nothing, and that of peers."""
    there = [each for each in trivial_tests.peers(given.peers_python) if each.name != trivial_tests.MONITOR.name]
    runs = [trivial_tests.PLAIN, trivial_tests.TWIN, trivial_tests.LEAST, *there]
    return [
        *trivial_tests.measure(runs, given.rounds, trivial_tests.GOALS),
        *trivial_tests.measure_slope(given.rounds),
    ]


def of_instructions(_: Given) -> list[Figure]:
    """Return the instructions that recording adds to a test, which are not noisy, and those of the least that could."""
    if shutil.which("valgrind") is None:
        print("  skipped, because valgrind is not installed; apt-get install valgrind")
        return []
    return [*test_instructions.measure(), *test_instructions.measure_worker()]


def of_slow_peer(given: Given) -> list[Figure]:
    """Return the cost of pytest-monitor, which takes minutes."""
    slow = [each for each in trivial_tests.peers(given.peers_python) if each.name == trivial_tests.MONITOR.name]
    return trivial_tests.measure([trivial_tests.PLAIN, *slow], 1, warm=False) if slow else []


def of_workers(given: Given) -> list[Figure]:
    """Return the CPU time of the tests of click in two pytest-xdist workers, of all processes together.

    The report of JUnit has the figures of each test, which pytest writes more slowly than they are recorded.
    """
    with tempfile.TemporaryDirectory() as folder:
        suite = public_suites.Suite("click", public_suites.NEEDS["click"], Path(folder))

        def run(*flags: str) -> float:
            began = resource.getrusage(resource.RUSAGE_CHILDREN)
            done = suite.call(*flags, f"--twin-report-dir={folder}/report")
            ended = resource.getrusage(resource.RUSAGE_CHILDREN)
            if " passed" not in done.stdout:
                raise SystemExit(done.stdout[-1000:] + done.stderr[-1000:])
            return ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime

        junit = f"--junitxml={folder}/junit.xml"
        ways = {"": (), " --junitxml": (junit,)}
        runs = {f"{more}{twin}": partial(run, *twin.split(), "-n", "2", *flags)
                for more, flags in ways.items() for twin in ("", "--twin")}  # fmt: skip
        times = interleaved(runs, given.rounds)
    figures = []
    for more, goal in zip(ways, ("at most 1.08", ""), strict=True):
        plain, twin = times[more], times[f"{more}--twin"]
        figures += [
            Figure(f"tests of click, pytest -n 2{more}", plain, "s"),
            Figure(f"tests of click, pytest --twin -n 2{more}", twin, "s"),
            Figure(f"  / pytest -n 2{more}", ratios(twin, plain), "", goal),
        ]
    return figures


def of_sampler(given: Given) -> list[Figure]:
    """Return the CPU usage of the sampler at 10 Hz, and that of a row with many processes."""
    return [
        *sampler_share.measure(HZ, SAMPLER_S, given.rounds),
        *row_cost.measure(10 * given.rounds, ROWS_REPEATED, PROCESSES),
    ]


def of_monitors(given: Given) -> list[Figure]:
    """Return the CPU time of a sample at 1 Hz, and that of other monitors."""
    return monitors.measure(monitors.MONITORS, MONITOR_S, WARM_UP_S, given.rounds)


def of_end(given: Given) -> list[Figure]:
    """Return the time that the end of a session takes, and the memory of a long one."""
    ends = session_end.end_figures(SAMPLES, TESTS_AT_END, given.rounds)
    memory = session_end.memory_figures(TESTS_IN_MEMORY, 1)
    more = differences(memory["twin"], memory["plain"])
    return [
        Figure(f"end of {TESTS_AT_END:,} tests, plain pytest", ends["plain"], "s"),
        Figure(f"end of {TESTS_AT_END:,} tests, --twin", ends["twin"], "s", f"at most {session_end.MOST_S}"),
        Figure("  with an HTML report", ends["html"], "s", f"at most {session_end.MOST_HTML_S}"),
        Figure(f"memory that {TESTS_IN_MEMORY:,} tests add", more, "MiB", f"at most {session_end.MOST_MIB}"),
    ]


def of_reading(given: Given) -> list[Figure]:
    """Return the time to read a day of samples, and that of pandas."""
    found = reading.reading_figures(DAY_AT_10_HZ, given.rounds)
    figures = [Figure(name, values, "s") for name, values in found.items()]
    for ours, peer, goal in reading.RATIOS:
        if ours in found and peer in found:
            figures.append(Figure(f"{ours} / {peer}", ratios(found[ours], found[peer]), "", goal))
    return figures


PARTS: dict[str, Callable[[Given], list[Figure]]] = {
    "tests": of_tests,
    "instructions": of_instructions,
    "slow-peer": of_slow_peer,
    "workers": of_workers,
    "sampler": of_sampler,
    "monitors": of_monitors,
    "end": of_end,
    "reading": of_reading,
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=PARTS, help="measure only this part")
    parser.add_argument("--rounds", type=int, default=5, help="number of rounds of each comparison")
    parser.add_argument(
        "--peers-python",
        type=trivial_tests.interpreter,
        default=sys.executable,
        help="Python of the environment with the plugins of pytest that are compared",
    )
    given = parser.parse_args()
    for name in [given.only] if given.only else PARTS:
        print(name)
        for figure in PARTS[name](given):
            show(f"  {figure.name}", *figure[1:])


if __name__ == "__main__":
    main()
