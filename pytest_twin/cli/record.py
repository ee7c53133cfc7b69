"""``pytest-twin record``: a recording of this machine."""

from __future__ import annotations

from typing import Any

import click

from pytest_twin.cli._options import Duration, recorded, settings_of, settings_options, stop_on_signals, wait
from pytest_twin.run_folder import DATASET, RunFolder


@click.command
@settings_options("interval", "per_core", "report_dir")
@click.option("--duration", type=Duration(), help="how long, such as 10m (default: until Ctrl-C)")
@click.option("--append", is_flag=True, help="go on behind the rows that are there")
def command(duration: float | None, append: bool, **given: Any) -> None:
    """Record what this machine does, one row an interval, until the time is over or Ctrl-C."""
    settings = settings_of(given, interval=1.0)
    with stop_on_signals() as stop, recorded(settings, append=append) as recording:
        began = recording.elapsed()
        wait(stop, duration, lambda _: last_row(recording.folder), lambda: recording.elapsed() - began)


def last_row(folder: RunFolder) -> str:
    """The latest sample in a few words."""
    path = folder / DATASET
    with path.open("rb") as file:
        names = file.readline().decode().strip().split(",")
        file.seek(max(file.tell(), path.stat().st_size - 4096))
        lines = file.read().decode(errors="replace").split("\n")[:-1]
    row = dict(zip(names, lines[-1].split(","), strict=False)) if lines else {}
    if len(row) < len(names):
        return "waiting for the first sample"
    return (
        f"CPU {row['cpu_percent']}%  RAM {row['ram_used_percent']}%"
        f"  disk r/w {row['disk_read_MB']}/{row['disk_write_MB']} MB"
        f"  net s/r {row['net_sent_MB']}/{row['net_recv_MB']} MB  {row['process_count']} processes"
    )
