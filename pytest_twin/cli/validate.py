"""``pytest-twin validate``: judge how faithfully a run replays a recording."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pytest_twin.analysis.fidelity.gates import (
    FAILED,
    NOT_JUDGED,
    FidelityGates,
    GateError,
    limit_declarations,
    parse_gates,
)
from pytest_twin.cli._options import (
    Duration,
    FiniteRange,
    scale_option,
    settings_of,
    window_option,
    write_or_print,
)
from pytest_twin.loads.schedule.window import parse_window
from pytest_twin.model.machine_recording import RESOURCES
from pytest_twin.settings.options import GATES, TABLE

if TYPE_CHECKING:
    from pytest_twin.analysis.fidelity.scorecard import Scorecard
    from pytest_twin.model.demand_change import DemandChange

F = TypeVar("F", bound=Callable[..., Any])
FAILED_STATUS = 1
STANDARD_OUTPUT = "-"


class FidelityUnknown(click.ClickException):
    """The fidelity cannot be judged."""

    exit_code = 2


def _gate_options(command: F) -> F:
    """Add an option for each limit; a decorator."""
    defaults = FidelityGates()
    for name, (text, lowest, highest) in reversed(limit_declarations().items()):
        click.option(
            f"--{name.replace('_', '-')}",
            name,
            type=FiniteRange(lowest, highest),
            metavar="X",
            help=f"{text} (default: {getattr(defaults, name):g})",
        )(command)
    return command


@click.command
@click.argument("recording")
@click.argument("run")
@click.option(
    "--resource", "only", multiple=True, type=click.Choice(tuple(RESOURCES)), metavar="NAME",
    help=f"judge this resource only; may be repeated: {', '.join(RESOURCES)}",
)  # fmt: skip
@click.option(
    "--event", type=Duration(), help="length of the shortest event, such as 5s (default: estimated from the recording)"
)
@window_option("compare with only this part of RECORDING, which was replayed")
@scale_option("changes of the demand with which RECORDING was replayed")
@click.option("--json", "document", metavar="PATH", help="write the scorecard as JSON to this file, or to - (stdout)")
@click.option(
    "--html", "page", type=click.Path(dir_okay=False, path_type=Path), help="write the scorecard as an HTML page"
)
@_gate_options
def command(
    recording: str, run: str, only: tuple[str, ...], event: float | None, window: Mapping[str, Any] | None,
    changes: tuple[DemandChange, ...],
    document: str | None, page: Path | None, **given: float | None,
) -> None:  # fmt: skip
    """Judge how faithfully a run replays a recording.

    RECORDING is what was replayed, RUN the recording of the replay: each a run folder or a file that can be read as a
    recording of a machine. Both are resampled to the coarser interval and aligned by elapsed time. The limits of the
    gates can be set in [tool.pytest-twin.gates] of pyproject.toml too.

    The exit status is 0 if all gates passed, 1 if a gate failed, and 2 if no resource can be judged.
    """
    from pytest_twin.report.fidelity.build import scorecard

    gates = gates_of({name: value for name, value in given.items() if value is not None})
    try:
        card = scorecard(recording, run, gates, only, event, parse_window(window or {}), changes)
    except ValueError as error:
        raise FidelityUnknown(str(error)) from None
    _show(card, document, page)
    if card.verdict == NOT_JUDGED:
        raise FidelityUnknown("no resource can be judged; see above")
    if card.verdict == FAILED:
        raise click.exceptions.Exit(FAILED_STATUS)


def gates_of(given: Mapping[str, float]) -> FidelityGates:
    """Return the limits: those that are given take precedence over those of pyproject.toml.

    Raises:
        click.UsageError: One is invalid.
    """
    try:
        return parse_gates({**settings_of({}).gates, **given})
    except GateError as error:
        raise click.UsageError(f"pyproject.toml: [tool.{TABLE}.{GATES}]: {error}") from None


def _show(card: Scorecard, document: str | None, page: Path | None) -> None:
    if document is not None:
        from pytest_twin.report.fidelity.document import text as json_text

        write_or_print(json_text(card), None if document == STANDARD_OUTPUT else Path(document))
    if page is not None:
        from pytest_twin.report.fidelity.html import page as html_page

        write_or_print(html_page(card).removesuffix("\n"), page)
    if document != STANDARD_OUTPUT:
        from pytest_twin.report.fidelity.terminal import text as terminal_text

        click.echo(terminal_text(card))
