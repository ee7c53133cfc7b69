"""``pytest-twin run``: play a schedule and record."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytest_twin.analysis.run.running import upcoming_loads
from pytest_twin.cli._live_view import view_of
from pytest_twin.cli._options import (
    EXPORTED,
    echo_line,
    finish,
    limit_of,
    open_recording,
    scale_option,
    settings_of,
    settings_options,
    stop_on_signals,
    window_option,
)
from pytest_twin.loads.disk_speed import schedule_remarks
from pytest_twin.loads.player import SchedulePlayer
from pytest_twin.loads.registry import kinds
from pytest_twin.loads.schedule.replay import fill_machine
from pytest_twin.loads.schedule.schedule import PARALLEL, SERIES, ScheduleError
from pytest_twin.report.live.view import MOST_AHEAD
from pytest_twin.run_folder.schedule_file import open_schedule

PREPARE_S = 0.35  # until the schedule begins: the supervisor starts the workers of a replay before its start

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_twin._system.interruptible_event import InterruptSafeEvent
    from pytest_twin.loads.applied import AppliedLoad
    from pytest_twin.loads.schedule.schedule import Schedule
    from pytest_twin.model.demand_change import DemandChange
    from pytest_twin.recording.recording import Recording


@click.command
@click.argument("path", metavar="SCHEDULE_OR_RECORDING", type=click.Path(path_type=Path))
@click.option(
    "--mode",
    type=click.Choice([PARALLEL, SERIES]),
    help="start each event at its time, or one after another (default: the mode of the schedule)",
)
@window_option("play only this part of a RECORDING")
@scale_option("play a RECORDING with changes of its demand, also beyond what this machine has")
@click.option("--dry-run", is_flag=True, help="print the loads without applying them")
@settings_options("schedule_speed", "interval", "per_core", "limit", "report_dir", *EXPORTED)
def command(
    path: Path,
    mode: str | None,
    window: Mapping[str, Any] | None,
    changes: tuple[DemandChange, ...],
    dry_run: bool,
    **given: Any,
) -> None:
    """Play a schedule of loads, or a recording, on this machine.

    The metrics of the machine are recorded.

    A RECORDING is a run folder, or a file that can be read as a recording of a machine. It is played once: the whole
    machine becomes as busy as the recorded one was.

    The exit status is 1 if a load failed, or if a strict load achieved less than requested.
    """
    settings = settings_of(given)
    limit = limit_of(settings)
    try:
        schedule = open_schedule(path, kinds(), window=window, changes=changes)
    except ScheduleError as error:
        raise click.UsageError("\n".join(error.problems)) from None
    if any(event.tests for event in schedule.events):
        click.echo('note: events with a "tests" pattern are skipped, because no test runs here', err=True)
        schedule = replace(schedule, events=tuple(event for event in schedule.events if not event.tests))
    if schedule.has_constraints:
        click.echo("note: constraints are skipped, because no test runs here", err=True)
        schedule = schedule.only(constraints=False)
    if mode == SERIES:
        schedule = schedule.in_series()  # skipped events leave no gap
    limited = [part.kind.keyword for part in limit.parts] if limit else []
    plan = fill_machine(schedule, kinds(), limited=limited).faster(settings.schedule_speed)
    for note in schedule.remarks if dry_run else schedule_remarks(schedule, settings.report_dir):
        echo_line(f"note: {path}: {note}", err=True)
    if dry_run:
        for event in plan.events:
            click.echo(str(event))
        return
    with stop_on_signals() as stop:
        speed = settings.schedule_speed
        playing = _Playing(schedule if speed == 1 else schedule.faster(speed), plan, stop)
        with open_recording(settings, before_sampling=playing.start) as recording:
            applied = playing.watch(recording, settings.interval)
        finish(recording, {} if stop.is_set() else {f"{each.part} [{each.id}]": each for each in applied})
    if stop.is_set():
        raise click.exceptions.Exit(130)


class _Playing:
    """Plays a schedule from the start of the first sample's interval on.

    Samples are of the same intervals as the rows of a recording that is replayed then.
    """

    def __init__(self, schedule: Schedule, plan: Schedule, stop: InterruptSafeEvent) -> None:
        self._schedule, self._plan, self._stop = schedule, plan, stop
        self._player: SchedulePlayer | None = None
        self._began = 0.0

    def start(self, recording: Recording) -> None:
        """Start the schedule, and wait until it begins."""
        recording.write_schedule(self._schedule)
        recording.start_supervisor()
        self._began = recording.load_time() + PREPARE_S
        self._player = SchedulePlayer(self._plan, recording)
        self._player.start(self._began)
        self._stop.wait(max(0.0, self._began - recording.load_time()))

    def watch(self, recording: Recording, interval: float) -> list[AppliedLoad]:
        """Show the live view until the schedule ends or is stopped; return the applied loads."""
        player = self._player
        assert player is not None  # noqa: S101 - for the type checker
        loads = sum(len(event.load.parts) for event in self._plan.events)

        def facts() -> dict[str, Any]:
            ahead = upcoming_loads(self._plan, recording.load_time() - self._began)
            return {"planned": loads, "ahead": list(islice(ahead, MOST_AHEAD))}

        with view_of(recording, interval) as view:
            view.wait(self._stop, over=lambda: player.over, facts=facts)
        player.stop()
        return player.applied
