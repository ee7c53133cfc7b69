"""Measure the CPU time and the regularity of the sampler with all columns, at 10 Hz and at 100 Hz.

    python benchmarks/sampler_share.py --seconds 30

The CPU time comes from the CPU clock of the sampler, in nanoseconds. In turns with it, a Python is measured that only
wakes at the same rate and writes a line of the same length. The gaps between rows are measured in a separate run, in
which a probe of the benchmark writes the time of each row in nanoseconds; the dataset has milliseconds.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

from _shared import Figure, cpu_s, interleaved, ratios, resident_kib, show, show_one

from pytest_twin.recording.recording import SAMPLER_PROGRAM
from pytest_twin.telemetry.sampler import SamplerClient
from pytest_twin.telemetry.sampler_config import SamplerConfig

GOALS = {10: ("at most 0.4", 1.0), 100: ("at most 3", 2995 / 3000)}  # per cent of a core, share of the due rows


def sampler(folder: Path, hz: float, *probes: str) -> SamplerClient:
    """Return a sampler for this process."""
    path, began, epoch = str(folder / "rows.csv"), time.monotonic(), time.time()
    config = SamplerConfig(1 / hz, has_tests=True, path=path, began=began, epoch=epoch, probes=probes)
    return SamplerClient(config, SAMPLER_PROGRAM)


def measure(hz: int, seconds: float, rounds: int) -> list[Figure]:
    """Return the share of one core of the sampler, and of a Python that only wakes at this rate."""
    runs = {"sampler": lambda: share(hz, seconds), "bare": lambda: bare_share(hz, seconds)}
    shares = interleaved(runs, rounds, warm=False)
    return [
        Figure(f"sampler at {hz} Hz, share of one core", shares["sampler"], "%", GOALS[hz][0]),
        Figure("  a Python that only wakes", shares["bare"], "%"),
    ]


def share(hz: int, seconds: float) -> float:
    """Return the share of one core that the sampler uses, in per cent."""
    with tempfile.TemporaryDirectory() as folder:
        running = sampler(Path(folder), hz)
        running.start()
        assert running.pid is not None  # noqa: S101 - for the type checker
        used = used_share(running.pid, seconds)
        running.stop()
    return used


def bare_share(hz: int, seconds: float) -> float:
    """Return the same of a Python that only wakes at this rate and writes a line of the usual length."""
    code = f"""import os, select, time
out, row = os.open(os.devnull, os.O_WRONLY), b"x" * 300
began = time.monotonic()
for tick in range(1, 1 << 30):
    if select.select([0], (), (), max(0, began + tick / {hz} - time.monotonic()))[0]: break
    os.write(out, row)
"""
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", code], stdin=subprocess.PIPE) as running:
        return used_share(running.pid, seconds)


def used_share(pid: int, seconds: float) -> float:
    """Wait, and return the share of one core that a process uses meanwhile, in per cent."""
    time.sleep(1)
    began, used = time.monotonic(), cpu_s(pid)
    time.sleep(seconds)
    return 100 * (cpu_s(pid) - used) / (time.monotonic() - began)


def rows(folder: Path, hz: int, seconds: float) -> None:
    """Print the rows and the memory of the sampler."""
    running = sampler(folder, hz)
    running.start()
    assert running.pid is not None  # noqa: S101 - for the type checker
    time.sleep(seconds)
    resident = resident_kib(running.pid) / 1024
    running.stop()
    show_one(f"  rows in {seconds:g} s", running.stats.rows, "", f"at least {int(hz * seconds * GOALS[hz][1])}")
    show_one("  resident memory", resident, "MiB", "at most 10")
    for warning in running.stats.warnings:
        print(f"  {warning}")


def gaps(folder: Path, hz: int, seconds: float) -> None:
    """Print the deviation of the gaps between rows from the interval."""
    running = sampler(folder, hz, "_row_time")
    running.start()
    time.sleep(seconds)
    running.stop()
    with (folder / "rows.csv").open() as file:
        times = [float(row["row_time_s"]) for row in csv.DictReader(file)][:-1]  # the last row is taken at the stop
    errors = [1e3 * abs(after - before - 1 / hz) for before, after in pairwise(times)]
    cuts = statistics.quantiles(errors, n=100, method="inclusive")
    show_one("  gap error, p50", cuts[49], "ms")
    show_one("  gap error, p99", cuts[98], "ms", "at most 1")
    show_one("  gap error, largest", max(errors), "ms")


def launch(rounds: int) -> None:
    """Print the time until the sampler is ready, compared with an empty Python program."""

    def bare() -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, "-I", "-S", "-c", "pass"], check=True)
        return 1e3 * (time.perf_counter() - began)

    def ready() -> float:
        with tempfile.TemporaryDirectory() as folder:
            starting = sampler(Path(folder), 10)
            began = time.perf_counter()
            starting.start()
            took = time.perf_counter() - began
            starting.stop()
            return 1e3 * took

    times = interleaved({"bare": bare, "ready": ready}, rounds)
    show("python -I -S -c pass", times["bare"], "ms")
    show("sampler, launch to ready", times["ready"], "ms", "at most 20")
    show("ratio", ratios(times["ready"], times["bare"]))


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30, help="duration of each recording")
    parser.add_argument("--rounds", type=int, default=3, help="number of rounds of each comparison")
    parser.add_argument("--launches", type=int, default=20, help="number of launches")
    given = parser.parse_args()
    launch(given.launches)
    for hz in GOALS:
        for figure in measure(hz, given.seconds, given.rounds):
            show(*figure)
        for part in (rows, gaps):
            with tempfile.TemporaryDirectory() as folder:
                part(Path(folder), hz, given.seconds)


if __name__ == "__main__":
    main()
