"""What is left of loads after kills at random moments, and how long it takes until it is gone.

    python benchmarks/kill_storm.py --kills 200

Runs of pytest with loads of CPU, memory and disk, in a session of their own, are killed between their very start and
their end: pytest by SIGKILL, its supervisor, or both. Then everything in that session has to end by itself, after the
supervisor's end only the stressors; what is still there after ten seconds is left. The memory and the files without a
name that a load holds go with its processes; files with a name are counted.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from _shared import show, show_one

from stressors.name import PROCESS_NAME

PATIENCE_S = 10.0
TESTS = """import pytest, time

@pytest.mark.stress(cpu=2, mem="{memory}", disk="20MB/s", directory="{directory}")
@pytest.mark.parametrize("number", range(20))
def test_it(number): time.sleep(0.1)
"""
VICTIMS = ("pytest", "supervisor", "both")


def members(session: int) -> dict[int, str]:
    """The processes of a session that do something, and their names (proc_pid_stat(5))."""
    found = {}
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            text = Path(f"/proc/{name}/stat").read_text()
        except OSError:
            continue
        command, _, rest = text.partition(" (")[2].rpartition(") ")
        fields = rest.split()
        if int(fields[3]) == session and fields[0] not in "ZX":
            found[int(name)] = command
    return found


def alive(session: int, victim: str) -> list[int]:
    """What has to end once that was killed."""
    return [pid for pid, name in members(session).items() if victim != "supervisor" or name == PROCESS_NAME]


def supervisors(session: int) -> list[int]:
    """The supervisors in it: those of our name whose parent has another."""
    named = {pid for pid, name in members(session).items() if name == PROCESS_NAME}
    return [pid for pid in named if parent(pid) not in named]


def parent(pid: int) -> int:
    """Its parent, 0 if it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[1])
    except OSError:
        return 0


def kill(folder: Path, victim: str, after: float) -> tuple[float, int, int]:
    """Kill a run so many seconds after its start; seconds until all was gone, processes left, files left."""
    stressed = folder / "stressed"
    stressed.mkdir()
    flags = ["-q", "-p", "no:cacheprovider", "--disable-plugin-autoload", "-p", "pytest_twin.plugin"]
    command = [sys.executable, "-m", "pytest", *flags, "test_it.py"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, start_new_session=True)
    time.sleep(after)
    targets = [process.pid] if victim != "supervisor" else []
    targets += supervisors(process.pid) if victim != "pytest" else []
    for pid in targets:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    killed = time.monotonic()
    if victim != "supervisor":  # without it the tests go on
        process.wait()
    while (left := alive(process.pid, victim)) and time.monotonic() < killed + PATIENCE_S:
        time.sleep(0.005)
    took = time.monotonic() - killed
    for pid in members(process.pid):
        os.kill(pid, signal.SIGKILL)
    process.wait()
    return took, len(left), sum(1 for _ in stressed.iterdir())


def main() -> None:
    """Kill."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200, help="how many")
    parser.add_argument("--memory", default="200MiB", help="resident in each run")
    parser.add_argument("--latest", type=float, default=3.0, help="seconds after the start of a run")
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    given = parser.parse_args()
    draw = random.Random(given.seed)
    times: dict[str, list[float]] = {victim: [] for victim in VICTIMS}
    left: Counter[str] = Counter()
    for number in range(given.kills):
        victim = VICTIMS[number % len(VICTIMS)]
        with tempfile.TemporaryDirectory() as folder:
            directory = Path(folder) / "stressed"
            (Path(folder) / "test_it.py").write_text(TESTS.format(memory=given.memory, directory=directory))
            took, processes, files = kill(Path(folder), victim, draw.uniform(0, given.latest))
        times[victim].append(took)
        left.update(processes=processes, files=files)
    for victim, values in times.items():
        if values:
            show(f"{victim} killed: until all was gone", values, "s", "at most 1")
            show_one("  the slowest", max(values), "s")
    show_one("processes left", left["processes"], "", "0")
    show_one("files left", left["files"], "", "0")


if __name__ == "__main__":
    main()
