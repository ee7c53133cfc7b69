"""The options of ``pytest-twin export`` for Grafana, and posting annotations to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pytest_twin.cli._options import settings_of
from pytest_twin.report.formats import ReportError, summary_of

if TYPE_CHECKING:
    from pytest_twin.export.grafana.destination import Destination

F = TypeVar("F", bound=Callable[..., Any])


def grafana_options(command: F) -> F:
    """Add the options for Grafana; a decorator."""
    for decorate in (
        click.option(
            "--token-file",
            metavar="FILE",
            type=click.Path(path_type=Path),
            help="file with the token of a service account with the role Editor",
        ),
        click.option(
            "--grafana", metavar="URL", help="post loads, constraints, phases, notes and failed tests as annotations"
        ),
    ):
        decorate(command)
    return command


def read_destination(url: str | None, token_file: Path | None) -> Destination | None:
    """Return the Grafana that the options name; None if they name none.

    Raises:
        click.UsageError: An option is invalid or missing, or the file of the token cannot be used.
    """
    if url is None:
        if token_file is not None:
            raise click.UsageError("--token-file: there is no --grafana to use it for")
        return None
    from pytest_twin.export.grafana.destination import DestinationError, parse_destination, read_token

    place = "--grafana"
    try:
        parse_destination(url, "")
        if token_file is None:
            raise click.UsageError("--grafana: needs a token; give the file that it is in with --token-file")
        place = "--token-file"
        return parse_destination(url, read_token(token_file))
    except DestinationError as error:
        raise click.UsageError(f"{place}: {error}") from None


def post_annotations(report_dir: Path | None, destination: Destination) -> None:
    """Post the annotations of a run, and print how many.

    Args:
        report_dir: The run folder; None is the one of the settings.
        destination: The Grafana.

    Raises:
        click.ClickException: The run cannot be read, or Grafana does not take them.
    """
    from pytest_twin.export.grafana.annotations import annotations_of, tag_of
    from pytest_twin.export.grafana.client import GrafanaError, post

    path = settings_of({"report_dir": report_dir}).report_dir
    try:
        summary = summary_of(path)
        found = annotations_of(summary)
        posted = post(found, tag_of(summary), destination) if found else None
    except (ReportError, GrafanaError) as error:
        raise click.ClickException(str(error)) from None
    if posted is None:
        click.echo(f"{path}: no loads, constraints, phases, notes or failed tests to post")
        return
    known = f" ({posted.known} were there already)" if posted.known else ""
    click.echo(f"{destination.url}: posted {posted.new} annotations{known}")
