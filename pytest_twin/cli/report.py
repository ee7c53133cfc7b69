"""``pytest-twin report``: write reports of a run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytest_twin.cli._options import settings_of, settings_options
from pytest_twin.cli.validate import gates_of
from pytest_twin.report.formats import FORMATS, ReportError, check_requirements, summary_of, write_report
from pytest_twin.run_folder.baselines import BaselineError, RunSet, find
from pytest_twin.settings import parsers
from pytest_twin.settings.options import Settings

if TYPE_CHECKING:
    from pytest_twin.analysis.comparison.comparison import Comparison
    from pytest_twin.analysis.fidelity.scorecard import Scorecard


@click.command
@click.argument("report_dir", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option(
    "--format",
    "formats",
    default="html",
    help=f"one or more of {','.join(FORMATS)}, separated by commas; json=PATH names the file (default: html)",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="write to this file (default: a file in DIR)",
)
@click.option(
    "--replay-of",
    metavar="RECORDING",
    help="add how faithfully the run replays this recording to the HTML page, as `pytest-twin validate` judges it "
    "(default: the one that it played, if nothing else ran)",
)
@settings_options("compare", "baselines")
def command(report_dir: Path | None, formats: str, output: Path | None, replay_of: str | None, **given: Any) -> None:
    """Write reports of a run: an HTML page, Markdown or JSON.

    DIR is a run folder, the folder of a test in it, or one of its files. Folders of killed runs and of the old scripts
    can be read too. DIR defaults to the report directory.
    """
    settings = settings_of({"report_dir": report_dir, **given})
    path = settings.report_dir
    try:
        reports = parsers.parse_reports(formats)
    except ValueError as error:
        raise click.UsageError(f"--format: {formats!r} {error}") from None
    if output is not None and len(reports) > 1:
        raise click.UsageError("--output takes one format; omit it to write each format into DIR")
    if output is not None and reports[0].path is not None:
        raise click.UsageError(f"--output: --format {formats} names a file already; omit one of the two")
    try:
        check_requirements(report.format for report in reports)
        run_summary = replace(summary_of(path, _compared(settings)), fidelity=_fidelity(replay_of, settings))
        folder = path if path.is_dir() else path.parent
        for name, named in reports:
            target = output or named or folder / FORMATS[name].file
            write_report(run_summary, name, target)
            click.echo(str(target))
    except ReportError as error:
        raise click.ClickException(str(error)) from None


def _fidelity(recording: str | None, settings: Settings) -> Scorecard | None:
    """Return how faithfully the run replays a recording, by default the one of its schedule; None without one.

    Raises:
        ReportError: The recording cannot be read or judged.
    """
    from pytest_twin.report.fidelity.build import scorecard, scorecard_of_replay

    gates = gates_of({})
    if recording is None:
        return scorecard_of_replay(settings.report_dir, gates)
    try:
        return scorecard(recording, str(settings.report_dir), gates)
    except ValueError as error:
        raise ReportError(f"--replay-of: {error}") from None


def _compared(settings: Settings) -> Comparison | None:
    """Return the comparison with the runs of --compare; None without that option.

    Raises:
        ReportError: The runs do not exist or cannot be compared.
    """
    if settings.compare is None:
        return None
    from pytest_twin.report.comparison.build import comparison

    here = Path.cwd()
    try:
        before = find(settings.compare, here / settings.baselines, here)
        return comparison(before, RunSet(str(settings.report_dir), [here / settings.report_dir]), settings.fail_on)
    except (BaselineError, ValueError) as error:
        raise ReportError(f"--compare: {error}") from None
