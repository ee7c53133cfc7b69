"""``pytest-twin record``: a recording of this machine."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Any

import click

from pytest_twin.cli._options import Duration, Size, recorded, settings_of, settings_options, stop_on_signals, wait
from pytest_twin.convert import ConversionError, to_gzip, to_parquet
from pytest_twin.run_folder import DATASET, RunFolder


@click.command
@settings_options("interval", "report_dir")
@click.option("--duration", type=Duration(), help="how long, such as 10m (default: until Ctrl-C)")
@click.option("--append", is_flag=True, help="go on behind the rows that are there")
@click.option("--rotate", type=Size(), help="begin a new file from this size on, such as 100MB")
@click.option("--gzip", "form", flag_value="gzip", help="compress the dataset at the end")
@click.option("--parquet", "form", flag_value="parquet", help="make one Parquet file of the dataset at the end")
def command(duration: float | None, append: bool, rotate: int | None, form: str | None, **given: Any) -> None:
    """Record what this machine does, one row an interval, until the time is over or Ctrl-C."""
    settings = settings_of(given, interval=1.0)
    if form == "parquet" and not find_spec("pyarrow"):
        raise click.UsageError("--parquet needs pyarrow; pip install 'pytest-twin[parquet]'")
    with stop_on_signals() as stop, recorded(settings, append=append, rotate_at=rotate or 0) as recording:
        began = recording.elapsed()
        wait(stop, duration, lambda _: last_row(recording.folder), lambda: recording.elapsed() - began)
    if form:
        try:
            {"gzip": to_gzip, "parquet": to_parquet}[form](recording.folder / DATASET)
        except ConversionError as error:
            raise click.ClickException(str(error)) from None


def last_row(folder: RunFolder) -> str:
    """The latest sample in a few words."""
    try:
        with (folder / DATASET).open("rb") as file:
            names = file.readline().decode().strip().split(",")
            file.seek(max(file.tell(), os.fstat(file.fileno()).st_size - 4096))
            lines = file.read().decode(errors="replace").split("\n")[:-1]
    except FileNotFoundError:  # a new piece is just being begun
        names, lines = [""], []
    row = dict(zip(names, lines[-1].split(","), strict=False)) if lines else {}
    if len(row) < len(names):
        return "waiting for the first sample"
    return (
        f"CPU {row['cpu_percent']}%  RAM {row['ram_used_percent']}%"
        f"  disk r/w {row['disk_read_MB']}/{row['disk_write_MB']} MB"
        f"  net s/r {row['net_sent_MB']}/{row['net_recv_MB']} MB  {row['process_count']} processes"
    )
