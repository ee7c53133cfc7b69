"""Plot a run: metrics over time with the loads as bands, distributions, and correlations.

    python examples/analyse.py twin-report

It needs only pandas and matplotlib, and also reads datasets of the original script collection.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl
import pandas as pd

mpl.use("Agg")
import matplotlib.pyplot as plt

# distinguishable with a colour vision deficiency
COLOURS = {"cpu": "#d55e00", "memory": "#0072b2", "disk": "#009e73", "test": "#999999"}


def read(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the samples and the events of a run, which share one clock."""
    samples = pd.read_csv(folder / "system_metrics_dataset.csv", parse_dates=["timestamp"])
    events = pd.read_csv(folder / "annotations.csv", parse_dates=["timestamp"])
    return samples, events


def bands(events: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each test or load: type, target, start and end."""
    started = events[events["event"] == "start"].set_index("id")
    ended = events[events["event"].isin(["end", "abort"])].set_index("id")["timestamp"].rename("end")
    return started.join(ended, how="inner")[["type", "test", "target", "timestamp", "end"]]


def plot_time(samples: pd.DataFrame, events: pd.DataFrame, path: Path) -> None:
    """Plot CPU, memory and disk over time, with a band for each load and a line for each test."""
    figure, (cpu, memory, disk, tests) = plt.subplots(
        4, 1, sharex=True, figsize=(11, 7), height_ratios=[3, 2, 2, 1.4], layout="constrained"
    )
    time = samples["timestamp"]
    cpu.plot(time, samples["cpu_percent"], color="black", linewidth=1.2, label="host", zorder=4)
    if "tests_cpu_percent" in samples:
        rest = (samples["cpu_percent"] - samples["tests_cpu_percent"] - samples["stress_cpu_percent"]).clip(lower=0)
        parts = [samples["stress_cpu_percent"], samples["tests_cpu_percent"], rest]
        cpu.stackplot(
            time, *parts, labels=["stress", "tests", "the rest"], colors=["#e69f00", "#56b4e9", "#cccccc"], zorder=3
        )
    cpu.set(ylabel="CPU %", ylim=(0, 118), yticks=range(0, 101, 25), title="What the machine did, and why")
    cpu.legend(loc="upper right", ncols=4, fontsize="small")
    memory.plot(time, samples["ram_used_percent"], color=COLOURS["memory"])
    memory.set(ylabel="RAM %", ylim=(0, None))
    disk.plot(time, samples["disk_write_MB"], color=COLOURS["disk"], label="written")
    disk.plot(time, samples["disk_read_MB"], color="#cc79a7", label="read")
    disk.set(ylabel="disk MiB / sample", ylim=(0, None))
    disk.legend(loc="upper right", ncols=2, fontsize="small")
    for axis, kind in ((cpu, "cpu"), (memory, "memory"), (disk, "disk")):
        for _, band in bands(events).query("type == @kind").iterrows():
            axis.axvspan(band["timestamp"], band["end"], color=COLOURS[kind], alpha=0.15, linewidth=0, zorder=0)
    rows = bands(events).query("type == 'test'").reset_index()
    for place, band in rows.iterrows():
        tests.plot(
            [band["timestamp"], band["end"]], [place % 4] * 2, color=COLOURS["test"], linewidth=6, solid_capstyle="butt"
        )
        tests.text(band["timestamp"], place % 4 + 0.25, str(band["test"]).rpartition("::")[2][:34], fontsize=6)
    tests.set(ylabel="tests", yticks=[], ylim=(-0.6, 4.2), xlabel="time (UTC); the bands are the loads")
    figure.savefig(path, dpi=110)


def plot_distributions(samples: pd.DataFrame, path: Path) -> None:
    """Plot histograms of CPU, memory and disk."""
    columns = [name for name in ("cpu_percent", "ram_used_percent", "disk_write_MB") if samples[name].notna().any()]
    figure, axes = plt.subplots(1, len(columns), figsize=(11, 3), layout="constrained")
    for axis, name in zip(axes, columns, strict=True):
        axis.hist(samples[name].dropna(), bins=30, color="#56b4e9", edgecolor="white")
        axis.set(title=name, ylabel="samples")
    figure.savefig(path, dpi=110)


def main() -> None:
    """Write the plots beside the data, and print statistics."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "twin-report")
    samples, events = read(folder)
    plot_time(samples, events, folder / "timeline.png")
    plot_distributions(samples, folder / "distributions.png")
    numbers = samples[["cpu_percent", "ram_used_percent", "disk_read_MB", "disk_write_MB", "process_count"]]
    print(numbers.describe().round(2).to_string())
    print("\ncorrelations")
    print(numbers.corr().round(2).to_string())
    print(f"\nplots: {folder / 'timeline.png'}, {folder / 'distributions.png'}")


if __name__ == "__main__":
    main()
