"""``pytest-twin report``: a run as a page, a summary or a document."""

from __future__ import annotations

from pathlib import Path

import click

from pytest_twin.cli._options import settings_of
from pytest_twin.report.writing import FORMS, ReportError, check, save, story_of
from pytest_twin.settings import read_forms


@click.command
@click.argument("report_dir", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option("--format", "forms", default="html", help=f"one or more of {','.join(FORMS)} (default: html)")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="the file (default: in DIR)")
def command(report_dir: Path | None, forms: str, output: Path | None) -> None:
    """Make a report of a run: a page for people (html), a summary (md), a document for programs (json).

    DIR is a run folder, the folder of a test in it, or one file; old ones and what a killed run left too.
    """
    path = settings_of({"report_dir": report_dir}).report_dir
    try:
        names = read_forms(forms)
    except ValueError as error:
        raise click.UsageError(f"--format: {forms!r} {error}") from None
    if output is not None and len(names) > 1:
        raise click.UsageError("--output: takes one format; leave it away to write each into DIR")
    try:
        check(names)
        story = story_of(path)
        folder = path if path.is_dir() else path.parent
        for name in names:
            target = output or folder / FORMS[name].file
            save(story, name, target)
            click.echo(str(target))
    except ReportError as error:
        raise click.ClickException(str(error)) from None
