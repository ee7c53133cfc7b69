"""Plot a run: metrics over time with tests and loads, distributions, and correlations; also the functions for that.

    python examples/analyse.py twin-report

It reads a run folder, the folder of one test, one file, what a killed run left, and datasets and event logs of the
original script collection. examples/analysis.ipynb uses its functions.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest_twin

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

# distinguishable with a colour vision deficiency
COLOURS = {"cpu": "#d55e00", "memory": "#0072b2", "disk": "#009e73", "constraint": "#cc79a7"}
OTHER_LOADS, TESTS = "#f0e442", "#999999"
NO_LOADS = {"test", "phase", "gap", "note"}
LANES = 4  # in which tests are drawn, so that their names do not overlap
COLUMNS = ["cpu_percent", "ram_used_percent", "disk_read_MB", "disk_write_MB", "process_count"]


def spans(run: pytest_twin.Run) -> pd.DataFrame:
    """Return a row for each test, load and phase, with its start and end; what has no end lasts to the end of the run.

    The amounts are those of its last event, which has what was achieved.
    """
    events = run.events[run.events["event"].isin(["start", "end", "abort"])].reset_index()
    following = events.groupby(["type", "id"], dropna=False)[["timestamp", "event", "achieved"]].shift(-1)
    last = max(frame.index.max() for frame in (run.samples, run.events) if len(frame))
    has_end = following["event"].isin(["end", "abort"])
    found = events[["type", "test", "target", "asked", "unit"]].assign(
        achieved=following["achieved"].where(has_end),
        start=events["timestamp"],
        end=following["timestamp"].where(has_end, last),
        state=following["event"].where(has_end, "unfinished"),
    )
    return found[events["event"] == "start"].reset_index(drop=True)


def numbers(frame: pd.DataFrame, columns: list[str] = COLUMNS) -> pd.DataFrame:
    """Return those of some columns that there are and that vary, as numbers."""
    known = frame[[name for name in columns if name in frame]].astype(float)
    return known.loc[:, known.max() > known.min()]


def plot_timeline(run: pytest_twin.Run, title: str = "What the machine did, and why") -> Figure:
    """Plot CPU, memory and disk over time, with a band for each load and a line for each test."""
    import matplotlib.pyplot as plt

    figure, (cpu, memory, disk, tests) = plt.subplots(
        4, 1, sharex=True, figsize=(11, 7), height_ratios=[3, 2, 2, 1.4], layout="constrained"
    )
    samples = run.samples
    cpu.plot(samples.index, samples["cpu_percent"], color="black", linewidth=1.2, label="host", zorder=4)
    if {"tests_cpu_percent", "stress_cpu_percent"} <= {*samples}:
        own = samples[["stress_cpu_percent", "tests_cpu_percent"]]
        parts = [*own.T.to_numpy(), (samples["cpu_percent"] - own.sum(axis=1)).clip(lower=0)]
        colours = ["#e69f00", "#56b4e9", "#cccccc"]
        cpu.stackplot(samples.index, *parts, labels=["loads", "tests", "the rest"], colors=colours, zorder=3)
    cpu.set(ylabel="CPU %", ylim=(0, 118), yticks=range(0, 101, 25), title=title)
    memory.plot(samples.index, samples["ram_used_percent"], color=COLOURS["memory"])
    memory.set(ylabel="RAM %", ylim=(0, None))
    for name, colour in (("disk_write_MB", COLOURS["disk"]), ("disk_read_MB", "#cc79a7")):
        disk.plot(samples.index, samples[name], color=colour, label=name)
    disk.set(ylabel="MiB / sample", ylim=(0, None))
    _draw_spans(spans(run), cpu, memory, disk, tests)
    for axis in (cpu, disk):
        axis.legend(loc="upper right", ncols=4, fontsize="small")
    tests.set(ylabel="tests", yticks=[], ylim=(-0.6, LANES + 0.2), xlabel="time (UTC); the bands are the loads")
    return figure


def _draw_spans(found: pd.DataFrame, cpu, memory, disk, tests) -> None:
    axes = {"memory": memory, "disk": disk, "iops": disk}
    for span in found[~found["type"].isin(NO_LOADS)].itertuples():
        colour = COLOURS.get(span.type, OTHER_LOADS)
        axes.get(span.type, cpu).axvspan(span.start, span.end, color=colour, alpha=0.15, linewidth=0, zorder=0)
    for number, span in enumerate(found[found["type"] == "test"].itertuples()):
        lane = number % LANES
        tests.plot([span.start, span.end], [lane, lane], color=TESTS, linewidth=6, solid_capstyle="butt")
        tests.text(span.start, lane + 0.25, str(span.test).rpartition("::")[2][:34], fontsize=6)


def plot_distributions(samples: pd.DataFrame) -> Figure:
    """Plot a histogram of each column that varies."""
    import matplotlib.pyplot as plt

    found = numbers(samples)
    figure, axes = plt.subplots(1, max(len(found.columns), 1), figsize=(11, 3), layout="constrained", squeeze=False)
    for axis, name in zip(axes[0], found, strict=False):
        axis.hist(found[name].dropna(), bins=30, color="#56b4e9", edgecolor="white")
        axis.set(title=name, ylabel="samples")
    return figure


def main() -> int:
    """Write the plots beside the data, and print statistics."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("path", nargs="?", type=Path, default=Path("twin-report"), help="a run folder or a file of one")
    path = parser.parse_args().path
    try:
        run = pytest_twin.load(path)
    except pytest_twin.ReadingError as error:
        print(error, file=sys.stderr)
        return 2
    print(run)
    print(*run.problems, sep="\n")
    if not len(run.samples):
        print(f"{path} has no samples to plot", file=sys.stderr)
        return 2
    import matplotlib as mpl

    mpl.use("Agg")
    folder = path if path.is_dir() else path.parent
    plot_timeline(run).savefig(folder / "timeline.png", dpi=110)
    plot_distributions(run.samples).savefig(folder / "distributions.png", dpi=110)
    if len((found := numbers(run.samples)).columns):
        print("\nstatistics", found.describe().round(2).to_string(), sep="\n")
        print("\ncorrelations", found.corr().round(2).to_string(), sep="\n")
    print(f"\nplots: {folder / 'timeline.png'}, {folder / 'distributions.png'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
