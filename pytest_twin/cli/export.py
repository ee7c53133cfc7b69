"""``pytest-twin export``: a run in a format of another program, or posted to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import click

from pytest_twin._system.private_files import PrivateDirectory, new_file
from pytest_twin.cli._grafana import grafana_options, post_annotations, read_destination
from pytest_twin.cli._options import settings_of, settings_options
from pytest_twin.export import FOLDER, FormatError, find_formats, load_format
from pytest_twin.export.otlp.config import OtlpError
from pytest_twin.report.formats import ReportError, refuse_to_replace, summary_of
from pytest_twin.settings import parsers
from pytest_twin.settings.options import PER_TEST_TRACE


@click.command
@click.argument("report_dir", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
@click.option("--format", "name", type=click.Choice(list(find_formats())), help="write this format")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="write to this file (default: a file in DIR/export, named by the format)",
)
@click.option(
    "--otlp",
    metavar="[URL|FILE]",
    is_flag=False,
    flag_value=parsers.ENVIRONMENT,
    help="send the run to this OpenTelemetry collector as traces and metrics, without a URL to that of "
    "OTEL_EXPORTER_OTLP_ENDPOINT or to localhost; or write it into this file as OTLP JSON",
)
@settings_options("otlp_trace", "traceparent")
@grafana_options
def command(
    report_dir: Path | None, name: str | None, output: Path | None, otlp: str | None, grafana: str | None,
    token_file: Path | None, **given: object,
) -> None:  # fmt: skip
    """Write a run in a format of another program, or send it there."""
    if not (name or otlp or grafana):
        raise click.UsageError("nothing to do; give --format, --otlp or --grafana")
    if output and not name:
        raise click.UsageError("--output: there is no --format to write")
    destination = read_destination(grafana, token_file)
    if name:
        export(report_dir, name, output)
    if otlp:
        from pytest_twin.cli._otlp import export_otlp

        settings = settings_of({"report_dir": report_dir, **given})
        is_per_test = settings.otlp_trace == PER_TEST_TRACE
        export_otlp(settings.report_dir, otlp, per_test=is_per_test, traceparent=settings.traceparent)
    if destination:
        post_annotations(report_dir, destination)


def export(report_dir: Path | None, name: str, output: Path | None) -> None:
    """Write a run in one format, and print where.

    Args:
        report_dir: The run folder; None is the one of the settings.
        name: The format, one of `find_formats`.
        output: The file; None is the usual one in the run folder.

    Raises:
        click.ClickException: The run cannot be read, or the file cannot be written.
    """
    path = settings_of({"report_dir": report_dir}).report_dir
    folder = path if path.is_dir() else path.parent
    try:
        made = load_format(name)
        target = output or folder / FOLDER / made.file
        refuse_to_replace(target, made.beginning, made.is_own)
        summary = summary_of(path)
        with new_file(target) if output else _new_file_within(folder, made.file) as file:
            made.write(summary, file)
    except (FormatError, ReportError, OtlpError) as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"{target}: {error.strerror}") from None
    click.echo(str(target))


@contextmanager
def _new_file_within(folder: Path, name: str) -> Iterator[IO[bytes]]:
    """Yield a new file in the folder of exports of a run folder."""
    with PrivateDirectory(folder) as run, run.within(FOLDER) as exports, exports.new_file(name) as file:
        yield file
