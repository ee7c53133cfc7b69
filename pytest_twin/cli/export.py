"""``pytest-twin export``: a run in a format of another program."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import click

from pytest_twin._system.private_files import write_pieces
from pytest_twin.cli._options import settings_of
from pytest_twin.export import find_formats
from pytest_twin.report.formats import ReportError, refuse_to_replace, summary_of


@click.command
@click.argument("report_dir", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option("--format", "name", required=True, type=click.Choice(find_formats()), help="write this format")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="write to this file (default: a file in DIR, named by the format)",
)
def command(report_dir: Path | None, name: str, output: Path | None) -> None:
    """Write a run in a format of another program."""
    export(report_dir, name, output)


def export(report_dir: Path | None, name: str, output: Path | None) -> None:
    """Write a run in one format, and print where.

    Args:
        report_dir: The run folder; None is the one of the settings.
        name: The format, one of `find_formats`.
        output: The file; None is the usual one in the run folder.

    Raises:
        click.ClickException: The run cannot be read, or the file cannot be written.
    """
    made = import_module(f"pytest_twin.export.{name.replace('-', '_')}")
    path = settings_of({"report_dir": report_dir}).report_dir
    target = output or (path if path.is_dir() else path.parent) / made.FILE
    try:
        refuse_to_replace(target, made.BEGINNING)
        write_pieces(target, made.lines(summary_of(path)))
    except ReportError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"{target}: {error.strerror}") from None
    click.echo(str(target))
