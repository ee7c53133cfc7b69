"""``pytest-twin compare --history``: let apache-otava find change points in the runs of a baseline."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click

from pytest_twin._system.private_files import write_atomic
from pytest_twin.report.comparison.otava import CONFIGURATION, TABLE, configuration, table
from pytest_twin.report.wording import format_count
from pytest_twin.run_folder.baselines import BaselineError, find, saved_runs

MIN_RUNS = 3
OTAVA_VARIABLES = ("BRANCH", "OTAVA_", "POSTGRES_", "BIGQUERY_", "GRAPHITE_", "GRAFANA_", "SLACK_")


def analyze_history(name: str, directory: Path) -> None:
    """Write the input of otava beside the runs of a baseline, run otava and print its output.

    Raises:
        click.ClickException: The baseline does not exist or has too few runs, or otava is missing or failed.
    """
    runs = [run for run in saved_runs(directory) if run.name == name and run.saved]
    if len(runs) < MIN_RUNS:
        raise click.ClickException(f"--history: {_describe_shortage(name, directory, len(runs))}")
    from pytest_twin.analysis.comparison.history import series
    from pytest_twin.run_folder.frames import load

    try:
        measured = series([load(run.path).tests for run in runs])
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    if not measured:
        raise click.ClickException(f"--history: no test passed in every run of {name}")
    folder = Path(os.path.abspath(directory)) / name
    write_atomic(folder / TABLE, table(measured, [run.saved for run in runs], [run.commit for run in runs]))
    write_atomic(folder / CONFIGURATION, configuration(measured, name, folder / TABLE))
    click.echo(f"{len(runs)} runs, {len(measured)} series: {folder / TABLE}")
    _run_otava(name, folder / CONFIGURATION, runs[0].saved)


def _describe_shortage(name: str, directory: Path, number: int) -> str:
    if number:
        return f"{name} has {format_count(number, 'run')}, but a history needs {MIN_RUNS}"
    try:
        find(name, directory, directory)
    except BaselineError as error:
        return str(error)
    return f"{name} is not a baseline in {directory}"


def _run_otava(name: str, path: Path, since: str) -> None:
    """Run the otava beside this interpreter, or else the first on the path."""
    program = shutil.which("otava", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if program is None:
        raise click.ClickException(
            "--history needs apache-otava; pip install 'pytest-twin[history]', "
            "or pipx install apache-otava to keep its dependencies apart"
        )
    command = [program, "analyze", name, "--config-file", str(path), "--since", since]
    run = subprocess.run(command, check=False, env=_environment(), stdout=subprocess.PIPE, text=True, errors="replace")
    click.echo(run.stdout, nl=False)
    if run.returncode or not run.stdout.strip():  # it exits with 0 even if it cannot read the table
        raise click.ClickException(f"otava failed with exit status {run.returncode}; its configuration is {path}")


def _environment() -> dict[str, str]:
    """Return our environment without the variables that otava reads: some CI systems set `BRANCH`, for example."""
    return {name: value for name, value in os.environ.items() if not name.startswith(OTAVA_VARIABLES)}
