"""``pytest-twin stress``: apply one load and record."""

from __future__ import annotations

from typing import Any

import click

from pytest_twin.cli._live_view import view_of
from pytest_twin.cli._options import (
    EXPORTED,
    Duration,
    finish,
    load_of,
    load_options,
    open_recording,
    settings_of,
    settings_options,
    stop_on_signals,
)
from pytest_twin.loads.applied import stop_all


@click.command
@load_options
@click.option("--duration", type=Duration(), help="stop after this time, such as 30s (default: on Ctrl-C)")
@settings_options("interval", "per_core", "limit", "report_dir", *EXPORTED)
def command(duration: float | None, **given: Any) -> None:
    """Apply a load to this machine, such as --cpu 75% --mem 1GiB.

    The metrics of the machine are recorded.

    The exit status is 1 if a load failed, was starved or was stopped by --stop-when.
    """
    settings = settings_of(given)
    load = load_of(given)
    if not load:
        raise click.UsageError("nothing to apply; give a load such as --cpu 75%")
    with stop_on_signals() as stop:
        with open_recording(settings) as recording, view_of(recording, settings.interval) as view:
            applied = [recording.apply(part) for part in load.parts]
            view.wait(stop, over=lambda: all(each.is_settled for each in applied), facts=_starting)
            view.wait(stop, duration, over=lambda: all(each.ended_at is not None for each in applied))
            stop_all(applied, is_timed=not stop.is_set())
        finish(recording, {} if stop.is_set() else {str(each.part): each for each in applied})


def _starting() -> dict[str, Any]:
    return {"message": "starting"}
