"""``pytest-twin fingerprint``: the hardware and software of this machine."""

from __future__ import annotations

import json
from pathlib import Path

import click

from pytest_twin.cli._options import write_or_print
from pytest_twin.telemetry import fingerprint


@click.command
@click.option("--identify", is_flag=True, help="include the names of the host and the user")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="write to this file (default: standard output)",
)
def command(identify: bool, output: Path | None) -> None:
    """Print the hardware and software of this machine as JSON.

    The names of the host and the user are included only with --identify; secrets never are. The first call since the
    machine started measures the speed of its CPUs in half a second; runs that are recorded later contain it too.
    """
    text = json.dumps(fingerprint.take_fingerprint(identify=identify, calibrate=True), indent=2, ensure_ascii=False)
    write_or_print(text, output)
