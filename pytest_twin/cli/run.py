"""``pytest-twin run``: plays a schedule and records."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytest_twin.analysis.run.running import ahead
from pytest_twin.cli._live_view import view_of
from pytest_twin.cli._options import fail_if_missed, limit_of, recorded, settings_of, settings_options, stop_on_signals
from pytest_twin.loads.disk_speed import remarks
from pytest_twin.loads.player import SchedulePlayer
from pytest_twin.loads.registry import kinds
from pytest_twin.loads.schedule.file import open_schedule
from pytest_twin.loads.schedule.schedule import PARALLEL, SERIES, ScheduleError
from pytest_twin.report.live.view import MOST_AHEAD

if TYPE_CHECKING:
    from pytest_twin._system.interruptible_event import InterruptSafeEvent
    from pytest_twin.loads.applied import AppliedLoad
    from pytest_twin.loads.schedule.schedule import Schedule
    from pytest_twin.recording.recording import Recording


@click.command
@click.argument("path", metavar="SCHEDULE", type=click.Path(path_type=Path))
@click.option(
    "--mode",
    type=click.Choice([PARALLEL, SERIES]),
    help="each event on time, or one after another (default: the schedule's)",
)
@click.option("--dry-run", is_flag=True, help="print what would be applied, apply nothing")
@settings_options("schedule_speed", "interval", "per_core", "limit", "report_dir")
def command(path: Path, mode: str | None, dry_run: bool, **given: Any) -> None:
    """Play a schedule of loads on this machine, and record what it does to it.

    Exits with 1 if a load could not be had, or less was had of one that is strict.
    """
    settings = settings_of(given)
    limit_of(settings)
    try:
        schedule = open_schedule(path, kinds())
    except ScheduleError as error:
        raise click.UsageError("\n".join(error.problems)) from None
    if any(event.tests for event in schedule.events):
        click.echo("note: events for certain tests are left out, no test runs here", err=True)
        schedule = replace(schedule, events=tuple(event for event in schedule.events if not event.tests))
    if mode == SERIES:
        schedule = schedule.in_series()  # what is left out leaves no gap
    plan = schedule.faster(settings.schedule_speed)
    for note in schedule.remarks if dry_run else remarks(schedule, settings.report_dir):
        click.echo(f"note: {path}: {note}", err=True)
    if dry_run:
        for event in plan.events:
            click.echo(str(event))
        return
    with stop_on_signals() as stop, recorded(settings) as recording:
        recording.write_schedule(schedule)
        applied = _play(plan, recording, settings.interval, stop)
    if stop.is_set():
        raise click.exceptions.Exit(130)
    fail_if_missed({f"{each.part} [{each.id}]": each for each in applied})


def _play(plan: Schedule, recording: Recording, interval: float, stop: InterruptSafeEvent) -> list[AppliedLoad]:
    """Play it, and show it, until it is over or stopped; comes back with all that was applied."""
    player = SchedulePlayer(plan, recording)
    recording.get_ready_for_loads()
    began = recording.now_for_loads()
    player.start(began)
    loads = sum(len(event.load.parts) for event in plan.events)

    def facts() -> dict[str, Any]:
        return {"planned": loads, "ahead": list(islice(ahead(plan, recording.now_for_loads() - began), MOST_AHEAD))}

    with view_of(recording, interval) as view:
        view.wait(stop, over=lambda: player.over, facts=facts)
    player.stop()
    return player.applied
