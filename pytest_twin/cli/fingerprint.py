"""``pytest-twin fingerprint``: what hardware and software this is."""

from __future__ import annotations

import json
from pathlib import Path

import click

from pytest_twin.cli._options import write_or_print
from pytest_twin.telemetry import fingerprint


@click.command
@click.option("--identify", is_flag=True, help="tell the names of the host and of the user too")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="the file (default: print it)")
def command(identify: bool, output: Path | None) -> None:
    """Print what hardware and software this is, as JSON; no names, no secrets."""
    text = json.dumps(fingerprint.fingerprint(identify=identify), indent=2, ensure_ascii=False)
    write_or_print(text, output)
