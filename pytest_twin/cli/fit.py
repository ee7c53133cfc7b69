"""``pytest-twin fit``: fit a schedule to a recording."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytest_twin.cli._options import FiniteRange, window_option, write_or_print
from pytest_twin.cli.validate import FidelityUnknown, gates_of
from pytest_twin.loads.registry import kinds
from pytest_twin.loads.schedule.parser import parse_schedule
from pytest_twin.loads.schedule.schedule_text import format_schedule
from pytest_twin.loads.schedule.target import target_of
from pytest_twin.loads.schedule.window import parse_window
from pytest_twin.model.csv_text import visible
from pytest_twin.model.machine_formats.parser import parse_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_twin.analysis.fit.phases import Fit
    from pytest_twin.model.machine_recording import MachineRecording

MOST_EVENTS = 200
MOST_VARIANTS = 1000


@click.command
@click.argument("recording")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path),
    help="write the schedule to this file (default: standard output)",
)  # fmt: skip
@click.option(
    "--events", type=click.IntRange(1, MOST_EVENTS), default=20, show_default=True, help="largest number of events"
)
@click.option(
    "--tolerance", type=FiniteRange(0, 100), default=0.1, show_default=True, metavar="PERCENT",
    help="least share of the variance of the recording, in per cent, that an event must explain",
)  # fmt: skip
@click.option(
    "--variants", type=click.IntRange(0, MOST_VARIANTS), default=0, metavar="N",
    help="also write N different days of the same kind, to OUTPUT-1.json and so on",
)  # fmt: skip
@window_option("fit only this part of RECORDING")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="seed of the variants")
def command(
    recording: str, output: Path | None, events: int, tolerance: float, variants: int,
    window: Mapping[str, Any] | None, seed: int,
) -> None:  # fmt: skip
    """Fit a schedule of loads to a recording.

    It has at most 20 events, with holds and straight lines for all resources together.

    RECORDING is a run folder, or a file that can be read as a recording of a machine. The same fit is made to one half
    of the rows, and judged by the gates of `pytest-twin validate` on the other half.

    The exit status is 0 if the schedule was written, whatever the gates say, and 2 if the recording cannot be fitted.
    """
    if variants and output is None:
        raise click.UsageError("--variants needs --output, whose name the files get")
    missing = [name for name in ("scipy", "ruptures") if find_spec(name) is None]
    if missing:
        raise FidelityUnknown(f"fit needs {' and '.join(missing)}; pip install 'pytest-twin[twin]'")
    gates = gates_of({})
    from pytest_twin.analysis.fit.judgement import judge_fit
    from pytest_twin.analysis.fit.phases import FitError, FitOptions, fit_phases
    from pytest_twin.report.fit.terminal import judgement_text
    from pytest_twin.run_folder.csv_frames import ReadingError
    from pytest_twin.run_folder.machine_recordings import read_part

    options = FitOptions(events, tolerance / 100)
    try:
        recorded = read_part(Path(recording), parse_window(window or {}))
        fit = fit_phases(recorded, options)
        judgement = judge_fit(recording, recorded, fit, options, gates, partial(target_of_fit, recorded))
    except FitError as error:
        raise FidelityUnknown(visible(f"{recording}: {error}")) from None
    except ReadingError as error:
        raise FidelityUnknown(str(error)) from None
    click.echo(judgement_text(str(output or "the schedule"), fit, judgement), err=output is None)
    write_or_print(_text(fit, recorded), output)
    if variants and output is not None:
        _write_variants(output, fit, variants, seed, recorded)


def _text(fit: Fit, recording: MachineRecording) -> str:
    """Return the schedule of a fit."""
    from pytest_twin.report.fit.document import schedule_document

    return format_schedule(schedule_document(fit.phases, recording.start))


def target_of_fit(recording: MachineRecording, fit: Fit) -> MachineRecording:
    """Return what the schedule of a fit is to be like, in the intervals of the recording."""
    schedule = parse_schedule(_text(fit, recording), "schedule", kinds(), parse_text)  # it replays nothing
    count = round(float(recording.frame.index[-1]) / recording.interval_s)
    return target_of(schedule, recording.interval_s, count, fit.idle)


def _write_variants(output: Path, fit: Fit, count: int, seed: int, recording: MachineRecording) -> None:
    """Write different days of the same kind beside the schedule; says how far each is from the recording."""
    from pytest_twin.analysis.fit.variants import find_variants
    from pytest_twin.report.fit.terminal import variants_text

    found = find_variants(fit, count, seed, recording, partial(target_of_fit, recording))
    names = []
    for number, variant in enumerate(found, 1):
        path = output.with_stem(f"{output.stem}-{number:0{len(str(count))}}")
        write_or_print(_text(variant.fit, recording), path)
        names.append(str(path))
    click.echo(variants_text(names, found, count))
