"""Measure the time and the memory to read a recording of 1,000,000 rows: ours, and plain `pandas.read_csv`.

    python benchmarks/read_recording.py --rows 1000000

Each reads in a process of its own. "first event" is a schedule that replays the recording, until its load is known.
Plain
pandas reads all columns and parses the times; it has no units, rates or gaps.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

READERS = {
    "read_recording": "import pytest_twin; pytest_twin.read_recording(path)",
    "first event": "from pathlib import Path; from pytest_twin.run_folder.schedule_file import open_schedule; "
    "from pytest_twin.stressors import find_kinds; open_schedule(Path(path + '.json'), find_kinds())",
    "pandas.read_csv": "import pandas; pandas.read_csv(path, parse_dates=['timestamp'])",
}
PROGRAM = """
import resource, sys, time
path = sys.argv[1]
began = time.perf_counter()
{}
print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""
LEGACY = (
    "timestamp,cpu_percent,cpu_count_logical,cpu_count_physical,ram_total_GB,ram_used_percent,ram_available_GB,"
    "swap_used_percent,disk_total_GB,disk_used_percent,disk_read_MB,disk_write_MB,net_sent_MB,net_recv_MB,"
    "battery_percent,battery_plugged,process_count"
)


def write(path: Path, rows: int, *, is_legacy: bool) -> None:
    """Write a recording with a row every second, and a schedule that replays it."""
    start = datetime(2026, 1, 1)  # noqa: DTZ001 - as the old scripts write it
    with path.open("w", encoding="ascii") as file:
        file.write(f"{LEGACY if is_legacy else 'timestamp,value'}\n")
        for at in range(rows):
            stamp, cpu = (start + timedelta(seconds=at)).isoformat(), at * 7919 % 1000 / 10
            rest = (
                f",8,4,16.0,{40 + at % 30},8.1,0.0,100.0,50.0,{at % 5 / 2},{at % 7 / 4},{at % 3},{at % 4},99,True,300"
            )
            file.write(f"{stamp},{cpu}{rest if is_legacy else ''}\n")
    path.with_name(path.name + ".json").write_text(f'{{"events": [{{"replay": "{path.name}"}}]}}', encoding="ascii")


def measure(program: str, path: Path) -> tuple[float, float]:
    """Return the seconds and the highest resident MiB of a reader in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(program), path], capture_output=True, text=True, check=True
    )
    seconds, mebibytes = map(float, done.stdout.split())
    return seconds, mebibytes


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name, is_legacy in (("timestamp,value", False), ("the 17 legacy columns", True)):
            path = Path(folder) / "recording.csv"
            write(path, given.rows, is_legacy=is_legacy)
            print(f"{name}: {given.rows} rows, {path.stat().st_size / 1e6:.0f} MB; goal at most 5 s and 300 MiB")
            found = {reader: measure(program, path) for reader, program in READERS.items()}
            plain = found["pandas.read_csv"]
            for reader, (seconds, mebibytes) in found.items():
                ratio = f"{seconds / plain[0]:.2f} and {mebibytes / plain[1]:.2f} of pandas"
                print(f"  {reader:16} {seconds:7.2f} s {mebibytes:7.0f} MiB   {ratio}")


if __name__ == "__main__":
    main()
