"""``pytest-twin trace``: write a run as a trace for Perfetto."""

from __future__ import annotations

from pathlib import Path

import click

from pytest_twin._system.private_files import write_pieces
from pytest_twin.cli._options import settings_of
from pytest_twin.export.chrome_trace import BEGINNING, lines
from pytest_twin.report.formats import ReportError, refuse_to_replace, summary_of

FILE = "trace.json"


@click.command
@click.argument("report_dir", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help=f"write to this file (default: DIR/{FILE})"
)
def command(report_dir: Path | None, output: Path | None) -> None:
    """Write a trace of a run, to be opened at https://ui.perfetto.dev or in chrome://tracing.

    Tests and loads are slices, notes are instants, and the metrics of the host are counters.
    """
    path = settings_of({"report_dir": report_dir}).report_dir
    target = output or (path if path.is_dir() else path.parent) / FILE
    try:
        refuse_to_replace(target, BEGINNING)
        write_pieces(target, lines(summary_of(path)))
    except ReportError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"{target}: {error.strerror}") from None
    click.echo(str(target))
