"""Measure the time to start a load and the time to end it, compared with stress-ng.

    python benchmarks/load_start.py --rounds 20

A cold start includes the start of the supervisor, a warm start does not. A load is ready when the supervisor reports
it, which is when all workers compute. stress-ng is ready when its workers have used CPU time by their CPU clocks; it
has ended when its process has, after a SIGTERM.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import time
from collections.abc import Callable

from _shared import cpu_s, interleaved, program, ratios, show, tree

from pytest_twin.loads.supervisor_client import SupervisorClient
from pytest_twin.loads.validation import read_load

WORKERS = 2
LOAD = read_load({"cpu": WORKERS}).parts[0]


def new_supervisor() -> SupervisorClient:
    """Return a supervisor without listeners."""
    return SupervisorClient(lambda *_: None, lambda _: None)


def cold() -> tuple[float, float]:
    """Return the milliseconds until ready, and until all processes have ended, including the supervisor."""
    began = time.perf_counter()
    supervisor = new_supervisor()
    supervisor.apply(LOAD, LOAD.request("load")).wait_ready()
    ready = time.perf_counter()
    supervisor.close()
    return 1e3 * (ready - began), 1e3 * (time.perf_counter() - ready)


def warm(supervisor: SupervisorClient) -> tuple[float, float]:
    """Return the milliseconds until ready, and until all workers have ended."""
    began = time.perf_counter()
    applied = supervisor.apply(LOAD, LOAD.request("load"))
    applied.wait_ready()
    ready = time.perf_counter()
    applied.stop()
    return 1e3 * (ready - began), 1e3 * (time.perf_counter() - ready)


def stress_ng(path: str) -> tuple[float, float]:
    """Return the milliseconds until the workers compute, and until the process has ended."""
    began = time.perf_counter()
    process = subprocess.Popen([path, "--quiet", "--cpu", str(WORKERS)])
    while not all_burn(process.pid):
        time.sleep(0.0005)
    ready = time.perf_counter()
    process.send_signal(signal.SIGTERM)
    process.wait()
    return 1e3 * (ready - began), 1e3 * (time.perf_counter() - ready)


def all_burn(pid: int) -> bool:
    """Whether each worker has used CPU time beyond that of a new process."""
    try:
        workers = [each for each in tree(pid) if each != pid]
        return len(workers) >= WORKERS and all(cpu_s(each) > 0.002 for each in workers)
    except OSError:
        return False


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20, help="number of rounds")
    given = parser.parse_args()
    supervisor = new_supervisor()
    runs: dict[str, Callable[[], tuple[float, float]]] = {"warm": lambda: warm(supervisor), "cold": cold}
    if path := program("stress-ng", "apt-get install stress-ng"):
        runs["stress-ng"] = lambda: stress_ng(path)
    stops: dict[str, list[float]] = {name: [] for name in runs}

    def ready(name: str) -> Callable[[], float]:
        def run() -> float:
            starting, stopping = runs[name]()
            stops[name].append(stopping)
            return starting

        return run

    try:
        starts = interleaved({name: ready(name) for name in runs}, given.rounds)
    finally:
        supervisor.close()
    goals = {"warm": "at most 5", "cold": "at most 60"}
    for name, values in starts.items():
        show(f"{name}: request to ready", values, "ms", goals.get(name, ""))
    for name, values in stops.items():
        show(f"{name}: stop to end", values[1:], "ms", "" if name == "stress-ng" else "at most 100")
    if "stress-ng" in starts:
        show("warm / stress-ng, request to ready", ratios(starts["warm"], starts["stress-ng"]))
    print(f"{WORKERS} workers; {os.cpu_count()} CPUs")


if __name__ == "__main__":
    main()
