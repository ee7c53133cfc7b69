"""Measure the time to read a long recording: `pytest_twin.load` with each engine, and plain `pandas.read_csv`.

    python benchmarks/reading.py --rows 864000    # a day at 10 Hz

The rows are generated; 500 different ones are repeated. Plain pandas only reads the file and parses the times; it has
no UTC index, counts or units, and accepts truncated lines.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

import pytest_twin
from pytest_twin.model.clock import Clock
from pytest_twin.model.columns import CellFormatter, Column, header
from pytest_twin.run_folder import csv_frames
from pytest_twin.run_folder.frames import samples_shape


def write(path: Path, rows: int) -> None:
    """Write a dataset with a row every 0.1 s."""
    chance = random.Random(7)
    time_column, *rest = samples_shape().columns
    base = [line([value(column, chance) for column in rest], rest) for _ in range(500)]
    clock = Clock(0.0, 1_767_225_600.0)
    with path.open("w", encoding="ascii") as file:
        file.write(header([time_column, *rest]) + "\n")
        file.writelines(f"{clock.stamp(at / 10)},{base[at % 500]}" for at in range(rows))


def line(values: list[float | None], columns: Sequence[Column]) -> str:
    """Return a row without its time."""
    return ",".join(CellFormatter(columns).of(tuple(values))) + "\n"


def value(column: Column, chance: random.Random) -> float | None:
    """Return a value as `pytest-twin record` writes it on a machine without a battery; None is missing."""
    return None if column.name.startswith(("battery_", "tests_")) else chance.uniform(0, 100)


def seconds(read: Callable[[], object], times: int) -> float:
    """Return the shortest of several measurements."""
    best = float("inf")
    for _ in range(times):
        began = time.perf_counter()
        read()
        best = min(best, time.perf_counter() - began)
    return best


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=864_000)
    parser.add_argument("--times", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "system_metrics_dataset.csv"
        write(path, given.rows)
        print(f"{given.rows} rows, {path.stat().st_size / 1e6:.0f} MB, pandas {pd.__version__}, {os.cpu_count()} CPUs")
        engines = dict.fromkeys([csv_frames.find_engine(), csv_frames.read_with_pandas])
        for engine in engines:
            csv_frames.find_engine = lambda engine=engine: engine  # type: ignore[misc]
            print(f"load, {engine.__name__:22} {seconds(lambda: pytest_twin.load(path), given.times):6.2f} s")
        plain = {"read_csv": {}, "read_csv, times parsed": {"parse_dates": ["timestamp"], "date_format": "ISO8601"}}
        for name, options in plain.items():
            print(f"{name:28} {seconds(lambda options=options: pd.read_csv(path, **options), given.times):6.2f} s")


if __name__ == "__main__":
    main()
