"""Count rows and tests lost by a SIGKILL at a random moment: of the sampler, of pytest --twin, and of both.

    python benchmarks/kill.py --times 20

A row is lost if it was due before the kill and is not in the file afterwards. Only the last line may be truncated, and
no earlier row may be missing. A test is lost if it had ended, which it wrote to a file of its own, and has no row in
tests.csv.
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
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from pytest_twin.model.attempt_row import CRASHED
from pytest_twin.model.csv_text import records
from pytest_twin.recording.recording import SAMPLER_PROGRAM
from pytest_twin.run_folder.layout import DATASET
from pytest_twin.run_folder.layout import TESTS as TESTS_TABLE
from pytest_twin.telemetry.sampler import SamplerClient
from pytest_twin.telemetry.sampler_config import SamplerConfig

INTERVAL_S = 0.01
LONGEST_S = 1.0
PATIENCE_S = 60.0
TESTS = """import os, time, pytest
ENDED = os.open("ended", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
@pytest.fixture(autouse=True, scope="session")
def begun(): open("begun", "w").close()
@pytest.mark.parametrize("number", range(5000))
def test_short(number):
    time.sleep(0.002)
    os.write(ENDED, b"x")
"""


class Lost(NamedTuple):
    """Losses by one kill; the names of the fields are those of the table."""

    rows_before: int
    rows_afterwards: int
    rows_lost: int
    rows_gone: int
    last_line_torn: int
    other_lines_torn: int
    tests_before: int = 0
    tests_lost: int = 0


GOALS = {"rows_lost": "at most 1 each", "rows_gone": "0", "other_lines_torn": "0", "tests_lost": "at most 1 each"}


def lost(path: Path, before: bytes, killed: float) -> Lost:
    """Compare the dataset with its content at the kill, at this system time."""
    text = path.read_text()
    rows = records(text)
    whole = before[: before.rfind(b"\n") + 1]
    lines = text.count("\n") - 1
    last = datetime.fromisoformat(rows[-1]["timestamp"]).timestamp() if rows else killed
    return Lost(
        whole.count(b"\n") - 1,
        len(rows),
        max(0, int((killed - last) / INTERVAL_S)),
        0 if text.encode().startswith(whole) else 1,
        0 if text.endswith("\n") else 1,
        lines - len(rows),
    )


def kill_sampler(folder: Path, after: float) -> Lost:
    """Kill a sampler after this number of seconds."""
    path = folder / DATASET
    began, epoch = time.monotonic(), time.time()
    config = SamplerConfig(INTERVAL_S, has_tests=True, path=str(path), began=began, epoch=epoch)
    sampler = SamplerClient(config, SAMPLER_PROGRAM)
    sampler.start()
    time.sleep(2 * INTERVAL_S + after)
    assert sampler.pid is not None  # noqa: S101 - for the type checker
    before, killed = path.read_bytes(), time.time()
    os.kill(sampler.pid, signal.SIGKILL)
    sampler.stop()
    return lost(path, before, killed)


def kill_run(folder: Path, after: float, *, and_sampler: bool) -> Lost:
    """Kill pytest this number of seconds after the start of its first test."""
    (folder / "test_short.py").write_text(TESTS)
    flags = ["-p", "no:cacheprovider", "--disable-plugin-autoload", "-p", "pytest_twin.plugin", "--twin"]
    command = [sys.executable, "-m", "pytest", *flags, f"--twin-interval={INTERVAL_S}", "--twin-report-dir=report"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    until((folder / "begun").exists)
    time.sleep(2 * INTERVAL_S + after)
    sampler = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text())
    path = folder / "report" / DATASET
    before, killed = path.read_bytes(), time.time()
    process.kill()
    if and_sampler:
        os.kill(sampler, signal.SIGKILL)
    process.wait()
    until(lambda: ended(sampler))
    tests, rows = (folder / "ended").stat().st_size, records((folder / "report" / TESTS_TABLE).read_text())
    recorded = sum(row["outcome"] != CRASHED for row in rows)
    return lost(path, before, killed)._replace(tests_before=tests, tests_lost=max(0, tests - recorded))


def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"not within {PATIENCE_S:g} s")
        time.sleep(0.005)


def ended(pid: int) -> bool:
    """Whether a process has ended, even if it has not been reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in {"Z", "X"}
    except OSError:
        return True


def tell(title: str, results: Sequence[Lost]) -> None:
    """Print the sum of each loss, and the largest loss by one kill."""
    print(f"{len(results)} times: {title}")
    for name, each in zip(Lost._fields, zip(*results, strict=True), strict=True):
        if any(each) or name in GOALS:
            goal = f"   goal {GOALS[name]}" if name in GOALS else ""
            print(f"  {name.replace('_', ' '):24} {sum(each):8}   most by one kill {max(each):6}{goal}", flush=True)


def main() -> None:
    """Kill."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20, help="number of kills of each kind")
    parser.add_argument("--seed", type=int, default=1, help="seed of the random moments")
    given = parser.parse_args()
    random.seed(given.seed)
    kills: dict[str, Callable[[Path, float], Lost]] = {
        "the sampler": kill_sampler,
        "pytest": lambda folder, after: kill_run(folder, after, and_sampler=False),
        "pytest and its sampler": lambda folder, after: kill_run(folder, after, and_sampler=True),
    }
    for title, kill in kills.items():
        results = []
        for _ in range(given.times):
            with tempfile.TemporaryDirectory() as folder:
                results.append(kill(Path(folder), random.uniform(0, LONGEST_S)))
        tell(title, results)


if __name__ == "__main__":
    main()
