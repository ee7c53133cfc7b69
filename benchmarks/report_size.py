"""Measure time and size of each report of a generated run: an hour at 10 Hz with 10,000 tests.

    python benchmarks/report_size.py --rows 36000 --tests 10000

Each format is written by a process of `pytest-twin`; the time includes its start and reading the files. The peer is
plain plotly with the same curves of the same rows, every sample drawn, and `include_plotlyjs=True`.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _generated_run import write_run

MOST_S, MOST_MB = 10.0, 15.0
PEER = """
import sys, pandas as pd, plotly.graph_objects as go
from plotly.subplots import make_subplots
frame = pd.read_csv(sys.argv[1], parse_dates=["timestamp"])
names = ["tests_cpu_percent", "stress_cpu_percent", "cpu_percent", "ram_used_percent", "disk_read_MB", "disk_write_MB",
         "net_recv_MB", "net_sent_MB", "pressure_cpu_percent", "pressure_memory_percent", "pressure_io_percent"]
figure = make_subplots(rows=len(names), shared_xaxes=True)
for row, name in enumerate(names, 1):
    figure.add_trace(go.Scatter(x=frame["timestamp"], y=frame[name], name=name), row=row, col=1)
figure.write_html(sys.argv[2], include_plotlyjs=True)
"""


def timed(command: list[str]) -> float:
    """Return the duration of a command in seconds."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=36_000, help="number of samples, ten a second")
    parser.add_argument("--tests", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_run(folder, options.rows, options.tests)
        twin = [sys.executable, "-m", "pytest_twin"]
        commands = {
            "report.html": [*twin, "report", name],
            "summary.md": [*twin, "report", name, "--format=md"],
            "run.json": [*twin, "report", name, "--format=json"],
            "export/trace.json": [*twin, "trace", name],
            "plotly.html": [sys.executable, "-c", PEER, f"{name}/system_metrics_dataset.csv", f"{name}/plotly.html"],
        }
        times: dict[str, list[float]] = {file: [] for file in commands}
        for _ in range(options.rounds):
            for file, command in commands.items():
                times[file].append(timed(command))
        print(f"{options.rows:,} samples, {options.tests:,} tests, {options.rounds} rounds; seconds: median (from-to)")
        for file, found in times.items():
            told = f"{statistics.median(found):6.2f} ({min(found):.2f}-{max(found):.2f})"
            print(f"{file:<17} {told:<22} {(folder / file).stat().st_size / 1e6:6.2f} MB")
        ratio = statistics.median(a / b for a, b in zip(times["report.html"], times["plotly.html"], strict=True))
        print(
            f"report.html: goal at most {MOST_S:.0f} s and {MOST_MB:.0f} MB; {ratio:.2f} times as long as plain plotly"
        )


if __name__ == "__main__":
    main()
