"""``pytest-twin predict``: how much slower tests are beside a recorded load, or when a machine is overloaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytest_twin.cli._options import window_option, write_or_print
from pytest_twin.loads.schedule.window import Window, parse_window
from pytest_twin.model.quantity import parse_amount
from pytest_twin.stressors.spec.kind import RATE

if TYPE_CHECKING:
    from collections.abc import Mapping

STANDARD_OUTPUT = "-"


class PredictionError(click.ClickException):
    """Nothing can be predicted."""

    exit_code = 2


@click.command
@click.argument("profile", metavar="[PROFILE]", required=False, type=click.Path(path_type=Path))
@click.argument("recording", metavar="RECORDING", required=False, type=click.Path(path_type=Path))
@click.option(
    "--runs",
    metavar="NUMBER",
    type=click.IntRange(min=1),
    help="give the intervals of the median, p95 and p99 of this number of runs (default: of all start times)",
)
@click.option("--json", "document", metavar="PATH", help="write the prediction as JSON to this file, or to - (stdout)")
@click.option(
    "--what-if",
    "changes",
    metavar="CHANGES",
    help='when the changed demand exceeds what the recorded machine has, such as "cpu*1.5 mem+4GiB disk*2"',
)
@window_option("use only this part of RECORDING")
@click.option(
    "--disk-rate",
    metavar="RATE",
    help="for --what-if: what the disk of that machine takes, such as 200MB/s (default: as calibrated here)",
)
def command(
    profile: Path | None, recording: Path | None, document: str | None, changes: str | None,
    window: Mapping[str, Any] | None, disk_rate: str | None, runs: int | None,
) -> None:  # fmt: skip
    """Predict how much slower tests are beside a recorded load.

    PROFILE is the run folder of a session with --twin-profile, or its profile.csv. RECORDING is a run folder, or a file
    that can be read as a recording of a machine. For each test, the slowdown is predicted over all times at which it
    may start: the median, and what 5 % and 1 % of the starts exceed.

    With --what-if only RECORDING is given: for how much of the time the changed demand exceeds what that machine has,
    when first, and how long at a stretch. After pytest-twin calibrate it also has the CPU pressure to expect.

    The exit status is 2 if nothing can be predicted.
    """
    part = parse_window(window or {})
    if changes is not None:
        if runs is not None:
            raise click.UsageError("--runs: is not used with --what-if")
        if profile is None or recording is not None:
            raise click.UsageError("give one recording: pytest-twin predict RECORDING --what-if CHANGES")
        _show(*_overloads(profile, part, changes, disk_rate), document)
    elif profile is None or recording is None:
        raise click.UsageError("give a profile and a recording: pytest-twin predict PROFILE RECORDING")
    elif disk_rate is not None:
        raise click.UsageError("--disk-rate: is only used with --what-if")
    else:
        _show(*_slowdowns(profile, recording, part, runs), document)


def _slowdowns(profile: Path, recording: Path, part: Window, runs: int | None) -> tuple[str, str]:
    """Return the predicted slowdowns for the terminal, and as JSON."""
    from pytest_twin.report.prediction import document, terminal
    from pytest_twin.report.prediction.build import prediction

    try:
        predicted = prediction(profile, recording, window=part, runs=runs)
    except ValueError as error:
        raise PredictionError(str(error)) from None
    return terminal.text(predicted), document.text(predicted)


def _overloads(recording: Path, part: Window, text: str, disk_rate: str | None) -> tuple[str, str]:
    """Return when a machine is overloaded, for the terminal and as JSON."""
    from pytest_twin.analysis.prediction.pressure import PressureModel
    from pytest_twin.analysis.prediction.what_if import find_overloads
    from pytest_twin.model.demand_change import parse_changes
    from pytest_twin.report.prediction.overload import overload_document, overload_table
    from pytest_twin.run_folder.machine_recordings import read_part
    from pytest_twin.telemetry.calibration import kept_calibration

    try:
        changes = parse_changes(text)
    except ValueError as error:
        raise click.UsageError(f"--what-if: {error}") from None
    rate = _parse_rate(disk_rate)
    try:
        recorded = read_part(recording, part)
    except ValueError as error:
        raise PredictionError(str(error)) from None
    if problem := recorded.gap_problem:
        raise PredictionError(f"{recording}: {problem}")
    calibrated = kept_calibration()
    model = PressureModel.fit(calibrated) if calibrated else None
    if rate is None and calibrated:
        rate = calibrated.disk_rate
    overloads = list(find_overloads(recorded, changes, rate, model))
    if all(each.problem for each in overloads):
        raise PredictionError("; ".join(f"{each.change.resource}: {each.problem}" for each in overloads))
    arguments = str(recording), recorded, overloads
    return overload_table(*arguments), overload_document(*arguments)


def _parse_rate(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        amount = parse_amount(text, "a rate such as 200MB/s")
    except ValueError as error:
        raise click.UsageError(f"--disk-rate: {error}") from None
    if amount.unit != RATE or not amount.value:
        raise click.UsageError(f"--disk-rate: {text!r} is not a rate such as 200MB/s")
    return amount.value


def _show(table: str, json_text: str, document: str | None) -> None:
    if document is not None:
        write_or_print(json_text, None if document == STANDARD_OUTPUT else Path(document))
    if document != STANDARD_OUTPUT:
        click.echo(table)
