"""From asking for a load until it is there, and from asking for its end until it is gone; and stress-ng's own times.

    python benchmarks/load_start.py --rounds 20

Cold is with the start of the supervisor, warm without. Ready is when the supervisor says so, and it says so when all
workers burn. For stress-ng it is when its workers have used CPU time, as their clocks tell; its end is that of its
process after a SIGTERM.
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
    """One that nobody listens to."""
    return SupervisorClient(lambda *_: None, lambda _: None)


def cold() -> tuple[float, float]:
    """Milliseconds until ready, and until all is gone, the supervisor included."""
    began = time.perf_counter()
    supervisor = new_supervisor()
    supervisor.apply(LOAD, LOAD.request("load")).wait_ready()
    ready = time.perf_counter()
    supervisor.close()
    return 1e3 * (ready - began), 1e3 * (time.perf_counter() - ready)


def warm(supervisor: SupervisorClient) -> tuple[float, float]:
    """Milliseconds until ready, and until all is gone."""
    began = time.perf_counter()
    applied = supervisor.apply(LOAD, LOAD.request("load"))
    applied.wait_ready()
    ready = time.perf_counter()
    applied.stop()
    return 1e3 * (ready - began), 1e3 * (time.perf_counter() - ready)


def stress_ng(path: str) -> tuple[float, float]:
    """Milliseconds until its workers burn, and until it has ended."""
    began = time.perf_counter()
    process = subprocess.Popen([path, "--quiet", "--cpu", str(WORKERS)])
    while not all_burn(process.pid):
        time.sleep(0.0005)
    ready = time.perf_counter()
    process.send_signal(signal.SIGTERM)
    process.wait()
    return 1e3 * (ready - began), 1e3 * (time.perf_counter() - ready)


def all_burn(pid: int) -> bool:
    """Whether each of its workers has used some CPU time of its own; a new process has used some to begin."""
    try:
        workers = [each for each in tree(pid) if each != pid]
        return len(workers) >= WORKERS and all(cpu_s(each) > 0.002 for each in workers)
    except OSError:
        return False


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20, help="turns of each")
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
        show(f"{name}: from asking to ready", values, "ms", goals.get(name, ""))
    for name, values in stops.items():
        show(f"{name}: from asking to gone", values[1:], "ms", "" if name == "stress-ng" else "at most 100")
    if "stress-ng" in starts:
        show("warm / stress-ng, to ready", ratios(starts["warm"], starts["stress-ng"]))
    print(f"{WORKERS} workers; {os.cpu_count()} CPUs")


if __name__ == "__main__":
    main()
