"""``pytest-twin baselines``: list the saved baselines."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import click

from pytest_twin.cli._options import settings_of, settings_options
from pytest_twin.report.wording import format_count
from pytest_twin.run_folder.baselines import saved_runs


@click.command
@settings_options("baselines")
def command(**given: Any) -> None:
    """List the saved baselines.

    Each has the number of its runs, and the time and commit of the newest one.
    """
    directory = settings_of(given).baselines
    runs = sorted(saved_runs(directory), key=lambda run: run.name)
    if not runs:
        click.echo(f"no baseline is saved in {directory}; save a run with pytest --twin-save NAME")
    for name, of_name in groupby(runs, key=lambda run: run.name):
        *older, newest = of_name
        facts = [format_count(len(older) + 1, "run"), f"saved {newest.saved}" if newest.saved else ""]
        click.echo(f"{name}: {', '.join(filter(None, [*facts, newest.commit[:12]]))}")
