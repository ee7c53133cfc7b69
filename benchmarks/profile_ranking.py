"""Check whether the profile identifies the bottlenecks of examples/test_bottlenecks.py: CPU, memory and disk.

    python benchmarks/profile_ranking.py --rounds 3 --minutes 3

The tests are profiled in each round; the table of the last round and the number of correct rankings are printed.
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from _shared import show_one

from pytest_twin.report.profile_terminal import profile_lines

EXAMPLE = Path(__file__).parent.parent / "examples" / "test_bottlenecks.py"
RIGHT = {
    "test_that_waits_for_the_cpu": "cpu",
    "test_that_waits_for_memory": "membw",
    "test_that_waits_for_the_disk": "disk",
}


def profiled(minutes: float, directory: Path) -> list[dict[str, str]]:
    """Return the rows of a profile of the tests."""
    with tempfile.TemporaryDirectory(dir=directory) as folder:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(EXAMPLE), "--twin-profile",
                   f"--twin-profile-time={minutes:g}m", f"--twin-report-dir={folder}/report",
                   f"--basetemp={folder}/tests"]  # fmt: skip
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        with (Path(folder) / "report" / "profile.csv").open(newline="") as file:
            return list(csv.DictReader(file))


def first(rows: list[dict[str, str]]) -> dict[str, str]:
    """Return the resource of rank 1 for each test, if there is one."""
    return {row["nodeid"].rpartition("::")[2]: row["resource"] for row in rows if row["rank"] == "1"}


def main() -> None:
    """Profile the tests, and count the correct rankings."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="number of rounds")
    parser.add_argument("--minutes", type=float, default=3, help="minutes for the profile of the tests in each round")
    parser.add_argument("--directory", type=Path, default=Path(), help="directory on the disk to write to")
    given = parser.parse_args()
    rounds = [profiled(given.minutes, given.directory) for _ in range(given.rounds)]
    print("\n".join(profile_lines(rounds[-1])))
    for test, resource in RIGHT.items():
        found = [first(rows).get(test, "nothing") for rows in rounds]
        show_one(f"{test}: {resource} first", f"{found.count(resource)} of {len(found)}", "", "all")
        wrong = sorted({each for each in found if each != resource})
        if wrong:
            print(f"  otherwise {', '.join(wrong)}")
    print(f"{os.cpu_count()} CPUs, load average {os.getloadavg()[0]:.1f} at the end")


if __name__ == "__main__":
    main()
