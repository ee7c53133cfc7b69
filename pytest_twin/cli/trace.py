"""``pytest-twin trace``: write a run as a trace for Perfetto."""

from __future__ import annotations

from pathlib import Path

import click

from pytest_twin.cli.export import export


@click.command
@click.argument("report_dir", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="write to this file (default: DIR/export/trace.json)",
)
def command(report_dir: Path | None, output: Path | None) -> None:
    """Write a trace of a run for https://ui.perfetto.dev.

    It can be opened in chrome://tracing too, and is the same as "pytest-twin export --format chrome-trace". Tests and
    loads are slices, notes are instants, and the metrics of the host are counters.
    """
    export(report_dir, "chrome-trace", output)
