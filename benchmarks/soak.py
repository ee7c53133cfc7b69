"""Simulate a day of sampling in minutes: the real loop, probes and file, with a clock that jumps to the next row.

    python benchmarks/soak.py --rows 864000

It runs in a process that is started like the sampler, while short-lived child processes start and end. Resident memory
and open descriptors, which must not grow, are printed after every tenth of the rows. A day at 10 Hz is 864,000 rows;
the file has a few hundred MB.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
INSIDE = """import sys
sys.path[:0] = sys.argv[1:3]
from soak import simulate
simulate(int(sys.argv[3]), float(sys.argv[4]), sys.argv[5])
"""


class Jumping:
    """A clock that advances only in waits, up to an end."""

    def __init__(self, seconds: float) -> None:
        self._began = self._now = time.monotonic()
        self._seconds = seconds

    def now(self) -> float:
        """Return the time in seconds."""
        return self._now

    def wait(self, seconds: float) -> bool:
        """Advance by this time at once; return whether the end is reached."""
        over = self._now + seconds - self._began > self._seconds
        self._now += 0.0 if over else seconds
        return over


def simulate(rows: int, interval: float, path: str) -> None:
    """Take this number of rows, and print memory and descriptors after every tenth of them."""
    from pytest_twin._system.append_file import AppendOnlyFile
    from pytest_twin.model.clock import Clock
    from pytest_twin.telemetry.probes import ProbeContext
    from pytest_twin.telemetry.sampler_process import RowReader, SamplingLoop

    clock = Jumping((rows + 0.5) * interval)
    reader = RowReader(Clock(clock.now(), time.time()), ProbeContext(os.getppid(), has_tests=True))
    table = AppendOnlyFile(path, reader.header)
    sampling = SamplingLoop(reader.row, table.append, interval)
    told = 0

    def wait(seconds: float) -> bool:
        nonlocal told
        if sampling.rows >= told:
            print(sampling.rows, *held(), flush=True)
            told += max(1, rows // 10)
        return clock.wait(seconds)

    sampling.run(clock.now, wait)
    print(sampling.rows, *held(), flush=True)


def held() -> tuple[int, int]:
    """Return the resident memory in KiB and the number of open descriptors of this process."""
    with open("/proc/self/status", "rb") as file:
        resident = int(file.read().partition(b"VmRSS:")[2].split(None, 1)[0])
    return resident, len(os.listdir("/proc/self/fd"))


def watch(process: subprocess.Popen[str]) -> list[tuple[int, int, int]]:
    """Print the output of the process, and start short-lived children continuously."""
    assert process.stdout is not None  # noqa: S101 - for the type checker
    told = []
    os.set_blocking(process.stdout.fileno(), False)
    while process.poll() is None:
        subprocess.run(["/bin/true"], check=True)
        time.sleep(0.02)
        told += tell(process.stdout.readlines())
    return told + tell(process.stdout.readlines())


def tell(lines: list[str]) -> list[tuple[int, int, int]]:
    """Print these lines, and yield their numbers."""
    told = []
    for line in lines:
        rows, resident, descriptors = map(int, line.split())
        print(f"{rows:10} rows {resident / 1024:8.2f} MiB {descriptors:4} descriptors", flush=True)
        told.append((rows, resident, descriptors))
    return told


def main() -> None:
    """Simulate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=864_000)
    parser.add_argument("--interval", type=float, default=0.1, help="simulated seconds between two rows")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        command = [sys.executable, "-I", "-S", "-c", INSIDE, str(HERE), str(HERE.parent)]
        command += [str(given.rows), str(given.interval), str(path)]
        began = time.monotonic()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            told = watch(process)
        finally:
            process.kill()
        with path.open("rb") as file:
            lines = sum(1 for _ in file) - 1
    (_, first, _), (rows, last, _) = told[min(1, len(told) - 2)], told[-1]
    # short-lived children keep files open while they run: the minimum of each half shows the lasting ones
    half = len(told) // 2
    few, many = (min(descriptors for _, _, descriptors in part) for part in (told[:half], told[half:]))
    print(f"{rows} rows in {time.monotonic() - began:.0f} s, {lines} in the file   goal {given.rows + 1}")
    print(f"grown since the first tenth: {(last - first) / 1024:.2f} MiB   goal below 5")
    print(f"more descriptors: {many - few}   goal 0")


if __name__ == "__main__":
    main()
