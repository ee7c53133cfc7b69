"""``pytest-twin record``: record this machine."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from pytest_twin.cli._live_view import view_of
from pytest_twin.cli._options import (
    EXPORTED,
    Duration,
    Size,
    echo_line,
    open_recording,
    print_summary,
    settings_of,
    settings_options,
    stop_on_signals,
)
from pytest_twin.report.recorded_usage import next_steps, usage_lines
from pytest_twin.report.wording import relative_path
from pytest_twin.run_folder.convert import ConversionError, to_gzip, to_parquet
from pytest_twin.run_folder.csv_frames import ReadingError
from pytest_twin.run_folder.layout import DATASET

INTERVAL_S = 1.0  # a machine is usually recorded for longer than a test runs


@click.command
@settings_options("interval", "per_core", "report_dir", *EXPORTED, interval=INTERVAL_S)
@click.option("--duration", type=Duration(), help="stop after this time, such as 10m (default: on Ctrl-C)")
@click.option("--append", is_flag=True, help="continue the recording that is in the report directory")
@click.option("--rotate", type=Size(), help="start a new file at this size, such as 100MB")
@click.option("--gzip", "form", flag_value="gzip", help="compress the dataset at the end")
@click.option("--parquet", "form", flag_value="parquet", help="convert the dataset to one Parquet file at the end")
def command(duration: float | None, append: bool, rotate: int | None, form: str | None, **given: Any) -> None:
    """Record the metrics of this machine until Ctrl-C.

    It writes one row an interval, and ends after --duration if that is given.

    It ends with the mean, the 95 % quantile and the peak of each resource, and with what can be done next.
    """
    settings = settings_of(given, interval=INTERVAL_S)
    if form == "parquet" and not find_spec("pyarrow"):
        raise click.UsageError("--parquet needs pyarrow; pip install 'pytest-twin[parquet]'")
    with stop_on_signals() as stop:
        with (
            open_recording(settings, append=append, rotate_at=rotate or 0) as recording,
            view_of(recording, settings.interval) as view,
        ):
            view.wait(stop, duration)
        print_summary(recording)
    if form:
        try:
            {"gzip": to_gzip, "parquet": to_parquet}[form](recording.folder / DATASET)
        except ConversionError as error:
            raise click.ClickException(str(error)) from None
    _print_usage(recording.folder.path)


def _print_usage(folder: Path) -> None:
    """Print what the machine used, and what can be done with the recording."""
    from pytest_twin.run_folder.machine_recordings import read_recording

    shown = relative_path(folder, Path.cwd())
    try:
        recording = read_recording(shown)
    except ReadingError as error:  # such as one that was stopped before its second row
        echo_line(f"no figures: {error}")
        return
    for line in (*usage_lines(recording), *next_steps(Path(shown))):
        click.echo(line)
