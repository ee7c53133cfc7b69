"""``pytest-twin merge``: several run folders become one."""

from __future__ import annotations

from pathlib import Path

import click

from pytest_twin.merging import merge
from pytest_twin.run_folder import RunFolderError


@click.command
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", metavar="DIR", required=True, type=click.Path(path_type=Path), help="where it goes")
def command(runs: tuple[Path, ...], output: Path) -> None:
    """Put run folders together: one table of events, one of tests, the samples of each host in a folder of its own."""
    try:
        merged = merge(runs, output)
    except RunFolderError as error:
        raise click.ClickException(str(error)) from None
    for run in merged:
        lost = f", {run.lost} lines could not be read" if run.lost else ""
        click.echo(f"{run.name}: {run.samples} samples, {run.events} events, {run.tests} tests{lost}")
    click.echo(f"files: {output}")
