"""``pytest-twin record``: a recording of this machine."""

from __future__ import annotations

from typing import Any

import click

from pytest_twin.cli._options import Duration, recorded, settings_of, settings_options, stop_on_signals
from pytest_twin.cli._view import view_of


@click.command
@settings_options("interval", "per_core", "report_dir")
@click.option("--duration", type=Duration(), help="how long, such as 10m (default: until Ctrl-C)")
@click.option("--append", is_flag=True, help="go on behind the rows that are there")
def command(duration: float | None, append: bool, **given: Any) -> None:
    """Record what this machine does, one row an interval, until the time is over or Ctrl-C."""
    settings = settings_of(given, interval=1.0)
    with (
        stop_on_signals() as stop,
        recorded(settings, append=append) as recording,
        view_of(recording, settings.interval) as view,
    ):
        view.wait(stop, duration)
