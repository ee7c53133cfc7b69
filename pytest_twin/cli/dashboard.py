"""``pytest-twin dashboard``: the dashboard for Grafana."""

from __future__ import annotations

from pathlib import Path

import click

from pytest_twin.export.grafana.dashboard import BEGINNING, FILE, dashboard_text
from pytest_twin.report.formats import ReportError, refuse_to_replace


@click.command
@click.option(
    "-o",
    "--output",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="write it into this directory (default: the current one)",
)
def command(folder: Path) -> None:
    """Write the dashboard of runs for Grafana.

    The file pytest-twin.json is imported in Grafana under Dashboards, New, Import, or provisioned. Its panels show the
    metrics of pytest --twin-prometheus; it needs Grafana 10.1 or newer with a Prometheus data source.
    """
    path = folder / FILE
    try:
        refuse_to_replace(path, BEGINNING)
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(dashboard_text(), encoding="utf-8")  # readable by others: Grafana has another user
    except ReportError as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}") from None
    click.echo(str(path))
