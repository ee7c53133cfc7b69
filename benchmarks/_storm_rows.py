"""Count the rows that a killed run lost."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from pathlib import Path

from pytest_twin.model.attempt_row import CRASHED
from pytest_twin.model.csv_text import records
from pytest_twin.run_folder.folder import RunFolder
from pytest_twin.run_folder.layout import ANNOTATIONS, DATASET, TESTS

HEADER_AND_READY = 2  # writes of a sampler that are not rows


def rows_written(sampler: int) -> int:
    """Return the number of rows that this sampler has written: one write(2) each, as the kernel counts them."""
    try:
        counted = Path(f"/proc/{sampler}/io").read_text().split()
    except OSError:  # it has ended
        return 0
    return max(0, int(counted[counted.index("syscw:") + 1]) - HEADER_AND_READY)


def rows_lost(folder: Path, killed: float, written: int) -> dict[str, int]:
    """Return the number of missing rows by table; of several processes, the largest number.

    Args:
        folder: The folder of the run, with a file `ended` to which each test wrote its process ID at its end.
        killed: Time of the kill, in seconds since 1970.
        written: Number of samples written just before the kill.
    """
    run = RunFolder(folder / "twin-report")
    tests = [sum(row["outcome"] != CRASHED for row in _rows(path)) for path in _files(run, TESTS)]
    ends = [
        sum((row["event"], row["type"]) == ("end", "test") for row in _rows(path)) for path in _files(run, ANNOTATIONS)
    ]
    return {
        "dataset": max(0, written - sum(at <= killed for at in _samples(run))),
        "tests": _most_lost(folder, tests),
        "annotations": _most_lost(folder, ends),
    }


def ticks_missed(folder: Path, killed: float, interval: float) -> int:
    """Return the number of samples that were due before the kill, but not taken because the sampler did not run."""
    before = [at for at in _samples(RunFolder(folder / "twin-report")) if at <= killed]
    return int((killed - before[-1]) / interval) if before else 0


def _samples(run: RunFolder) -> list[float]:
    """Return the times of the samples, in seconds since 1970."""
    return [datetime.fromisoformat(row["timestamp"]).timestamp() for row in _rows(run / DATASET)]


def _most_lost(folder: Path, recorded: list[int]) -> int:
    """Match files with processes in `ended`: each process wrote one file, and the largest belong together."""
    path = folder / "ended"
    ended = Counter(path.read_text().split()) if path.exists() else Counter[str]()
    counts = sorted(ended.values(), reverse=True)
    found = sorted(recorded, reverse=True) + [0] * len(counts)
    return max((had - has for had, has in zip(counts, found, strict=False)), default=0)


def _files(run: RunFolder, name: str) -> list[Path]:
    return [path for path in (run / name, *run.parts(name)) if path.exists()]


def _rows(path: Path) -> list[dict[str, str]]:
    return records(path.read_text(errors="replace")) if path.exists() else []
