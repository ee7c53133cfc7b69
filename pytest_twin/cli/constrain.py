"""``pytest-twin constrain``: run a command with less machine."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from pytest_twin.loads.constraint import ConstraintError
from pytest_twin.loads.validation import read_constraint

if TYPE_CHECKING:
    from pytest_twin.loads.spec import LoadPart

BACKENDS = ("control-group", "systemd", "stop-signals")


@click.command(context_settings={"allow_interspersed_args": False})
@click.option("--cpu", metavar="AMOUNT", help="CPU time for all of its processes together: 0.5 CPUs, or a share as 25%")
@click.option("--period", metavar="TIME", help="use up the CPU time of --cpu at most in each period (default: 100ms)")
@click.option("--cpus", metavar="COUNT", help="number of CPUs to run on")
@click.option("--mem", metavar="AMOUNT", help="memory of all of its processes together, such as 2GiB or 25%")
@click.option("--io", metavar="RATE", help="rate of reads and of writes on disks, such as 20MB/s")
@click.option("--backend", type=click.Choice(BACKENDS), help="enforce it by this (default: the first that works)")
@click.argument("words", metavar="COMMAND...", nargs=-1, required=True, type=click.UNPROCESSED)
def command(words: tuple[str, ...], backend: str | None, **given: str | None) -> None:
    """Run a command with less machine, such as --cpu 0.5 -- pytest.

    It reproduces flaky tests, as in --cpu 0.5 --mem 2GiB -- pytest -n 4.

    The constraint is for the command and all processes that it starts, together. The exit status is that of the
    command, or 128 and the number of the signal that ended it. A last line on stderr tells what it used.
    """
    part = _read_constraint({name: value for name, value in given.items() if value is not None})
    if sys.platform == "linux":  # otherwise it was refused above
        from pytest_twin.cli._constrained_command import run

        sys.exit(run(words, part, backend or ""))


def _read_constraint(words: dict[str, Any]) -> LoadPart:
    """Parse the constraint.

    Raises:
        click.UsageError: It is invalid; one line for each problem.
    """
    if not words:
        raise click.UsageError("nothing to constrain; give a limit such as --cpu 0.5")
    try:
        return read_constraint(words, must_take_away=True).parts[0]
    except ConstraintError as error:
        lines = [f"--{key}: {problem}" if key else problem for key, problem in error.problems]
        raise click.UsageError("\n".join(lines)) from None
