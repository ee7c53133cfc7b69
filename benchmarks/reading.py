"""Measure the time to read a long recording: `pytest_twin.load` with each engine, and plain `pandas.read_csv`.

    python benchmarks/reading.py --rows 864000    # a day at 10 Hz

The rows are generated; 500 different ones are repeated. Plain pandas only reads the file, and with pyarrow parses the
times; it has no UTC index, counts or units, and accepts truncated lines.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd
from _shared import interleaved, ratios, show

import pytest_twin
from pytest_twin.model.clock import Clock
from pytest_twin.model.columns import CellFormatter, Column, header
from pytest_twin.model.event import HOST
from pytest_twin.run_folder import csv_frames
from pytest_twin.run_folder.frames import samples_shape

PEERS: Mapping[str, Mapping[str, Any]] = {"read_csv, pyarrow": {"engine": "pyarrow"}, "read_csv": {}}
RATIOS = (
    ("load, read_with_arrow", "read_csv, pyarrow", "at most 1.2"),
    ("load, read_with_pandas", "read_csv", ""),
)


def write(path: Path, rows: int) -> None:
    """Write a dataset with a row every 0.1 s."""
    chance = random.Random(7)
    time_column, *rest = (column for column in samples_shape().columns if column.name != HOST)
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


def reading_figures(rows: int, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each round to read these rows: of `pytest_twin.load` with each engine, and of pandas."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "system_metrics_dataset.csv"
        write(path, rows)
        print(f"{rows:,} rows, {path.stat().st_size / 1e6:.0f} MB, pandas {pd.__version__}, {os.cpu_count()} CPUs")
        contenders: dict[str, Callable[[], float]] = {}
        for engine in dict.fromkeys([csv_frames.find_engine(), csv_frames.read_with_pandas]):
            contenders[f"load, {engine.__name__}"] = partial(load_with, engine, path)
        for name, options in PEERS.items():
            if options.get("engine") != "pyarrow" or find_spec("pyarrow"):
                contenders[name] = partial(seconds, partial(pd.read_csv, path, **options))
        return interleaved(contenders, rounds)


def load_with(engine: Callable[..., object], path: Path) -> float:
    """Return the seconds that `pytest_twin.load` takes with an engine."""
    csv_frames.find_engine = lambda: engine  # type: ignore[assignment,return-value]
    return seconds(partial(pytest_twin.load, path))


def seconds(read: Callable[[], object]) -> float:
    """Return the wall time of a call, without that of freeing what it returns."""
    began = time.perf_counter()
    kept = read()
    took = time.perf_counter() - began
    del kept
    return took


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=864_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    found = reading_figures(given.rows, given.rounds)
    for name, values in found.items():
        show(name, values, "s")
    for ours, peer, goal in RATIOS:
        if ours in found and peer in found:
            show(f"{ours} / {peer}", ratios(found[ours], found[peer]), goal=goal)


if __name__ == "__main__":
    main()
