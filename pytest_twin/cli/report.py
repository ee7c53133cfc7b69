"""``pytest-twin report``: a run as a page, a summary or a document."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytest_twin.cli._options import settings_of, settings_options
from pytest_twin.report.writing import FORMS, ReportError, check, save, summary_of
from pytest_twin.run_folder.baselines import BaselineError, RunSet, find
from pytest_twin.settings import parsers
from pytest_twin.settings.options import Settings

if TYPE_CHECKING:
    from pytest_twin.analysis.comparison.comparison import Comparison


@click.command
@click.argument("report_dir", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option("--format", "forms", default="html", help=f"one or more of {','.join(FORMS)} (default: html)")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="the file (default: in DIR)")
@settings_options("compare", "baselines")
def command(report_dir: Path | None, forms: str, output: Path | None, **given: Any) -> None:
    """Make a report of a run: a page for people (html), a summary (md), a document for programs (json).

    DIR is a run folder, the folder of a test in it, or one file; old ones and what a killed run left too.
    """
    settings = settings_of({"report_dir": report_dir, **given})
    path = settings.report_dir
    try:
        names = parsers.parse_forms(forms)
    except ValueError as error:
        raise click.UsageError(f"--format: {forms!r} {error}") from None
    if output is not None and len(names) > 1:
        raise click.UsageError("--output: takes one format; leave it away to write each into DIR")
    try:
        check(names)
        story = summary_of(path, _compared(settings))
        folder = path if path.is_dir() else path.parent
        for name in names:
            target = output or folder / FORMS[name].file
            save(story, name, target)
            click.echo(str(target))
    except ReportError as error:
        raise click.ClickException(str(error)) from None


def _compared(settings: Settings) -> Comparison | None:
    """The run compared with what is asked for.

    Raises:
        ReportError: There is nothing of that name, or nothing to compare.
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
