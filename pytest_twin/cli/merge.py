"""``pytest-twin merge``: merge run folders into one."""

from __future__ import annotations

import os
from pathlib import Path

import click

from pytest_twin.report.wording import format_count
from pytest_twin.run_folder.folder import RunFolderError
from pytest_twin.run_folder.merge import merge


@click.command
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    metavar="DIR",
    required=True,
    type=click.Path(path_type=Path),
    help="write the merged run folder here",
)
def command(runs: tuple[Path, ...], output: Path) -> None:
    """Merge run folders into one, with one time axis.

    The samples of each host are in a folder of its own.
    """
    try:
        merged = merge(runs, output)
    except RunFolderError as error:
        raise click.ClickException(str(error)) from None
    for run in merged:
        lost = f", {format_count(run.lost, 'line')} could not be read" if run.lost else ""
        tests = f", {format_count(run.tests, 'test')}" if run.tests else ""
        rows = f"{format_count(run.samples, 'sample')}, {format_count(run.events, 'event')}{tests}"
        click.echo(f"{run.name}: {rows}{lost}")
    click.echo(f"files: {output}{os.sep}")
