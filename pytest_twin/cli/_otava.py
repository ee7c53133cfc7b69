"""``pytest-twin compare --history``: change points over the runs of a baseline, found by apache-otava."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click

from pytest_twin._system.private_files import write_atomic
from pytest_twin.report.comparison.otava import CONFIGURATION, TABLE, configuration, table
from pytest_twin.report.wording import count
from pytest_twin.run_folder.baselines import BaselineError, find, saved_runs

FEWEST = 3
MEANT_FOR_OTHERS = ("BRANCH", "OTAVA_", "POSTGRES_", "BIGQUERY_", "GRAPHITE_", "GRAFANA_", "SLACK_")


def look(name: str, directory: Path) -> None:
    """Write what otava reads beside the runs of a baseline, and have otava look at it.

    Raises:
        click.ClickException: There is no such baseline, it has too few runs, or otava is missing or failed.
    """
    runs = [run for run in saved_runs(directory) if run.name == name and run.saved]
    if len(runs) < FEWEST:
        raise click.ClickException(f"--history: {_few(name, directory, len(runs))}")
    from pytest_twin.analysis.comparison.history import series
    from pytest_twin.run_folder.frames import load

    try:
        found = series([load(run.path).tests for run in runs])
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    if not found:
        raise click.ClickException(f"--history: no test passed in every run of {name}")
    place = Path(os.path.abspath(directory)) / name
    write_atomic(place / TABLE, table(found, [run.saved for run in runs], [run.commit for run in runs]))
    write_atomic(place / CONFIGURATION, configuration(found, name, place / TABLE))
    click.echo(f"{len(runs)} runs, {len(found)} series: {place / TABLE}")
    _analyse(name, place / CONFIGURATION, runs[0].saved)


def _few(name: str, directory: Path, number: int) -> str:
    if number:
        return f"{name} has {count(number, 'run')}, and a history needs {FEWEST}"
    try:
        find(name, directory, directory)
    except BaselineError as error:
        return str(error)
    return f"{name} is no baseline of {directory}"


def _analyse(name: str, path: Path, since: str) -> None:
    """Run otava, which may be installed beside this interpreter or anywhere on the path."""
    found = shutil.which("otava", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if found is None:
        raise click.ClickException(
            "otava is missing, which looks for the changes; pip install 'pytest-twin[history]', "
            "or pipx install apache-otava, which keeps its many dependencies apart"
        )
    command = [found, "analyze", name, "--config-file", str(path), "--since", since]
    done = subprocess.run(command, check=False, env=_environment(), stdout=subprocess.PIPE, text=True, errors="replace")
    click.echo(done.stdout, nl=False)
    if done.returncode or not done.stdout.strip():  # it ends with 0 also where it could not read the table
        raise click.ClickException(f"otava ended with {done.returncode}; it was given {path}")


def _environment() -> dict[str, str]:
    """Ours, without what otava takes for options: it looks for a branch in the table where CI has one in `BRANCH`."""
    return {name: value for name, value in os.environ.items() if not name.startswith(MEANT_FOR_OTHERS)}
