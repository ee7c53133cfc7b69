"""``pytest-twin predict``: predict how much slower tests are beside the load of a recorded machine."""

from __future__ import annotations

from pathlib import Path

import click

from pytest_twin.cli._options import write_or_print

STANDARD_OUTPUT = "-"


class PredictionError(click.ClickException):
    """Nothing can be predicted."""

    exit_code = 2


@click.command
@click.argument("profile", type=click.Path(path_type=Path))
@click.argument("recording", type=click.Path(path_type=Path))
@click.option("--json", "document", metavar="PATH", help="write the prediction as JSON to this file, or to - (stdout)")
def command(profile: Path, recording: Path, document: str | None) -> None:
    """Predict how much slower tests are beside the load of a recorded machine.

    PROFILE is the run folder of a session with --twin-profile, or its profile.csv. RECORDING is a run folder, or a file
    that can be read as a recording of a machine. For each test, the slowdown is predicted over all times at which it
    may start: the median, and what 5 % and 1 % of the starts exceed.

    The exit status is 2 if nothing can be predicted.
    """
    from pytest_twin.report.prediction.build import prediction

    try:
        predicted = prediction(profile, recording)
    except ValueError as error:
        raise PredictionError(str(error)) from None
    if document is not None:
        from pytest_twin.report.prediction.document import text as json_text

        write_or_print(json_text(predicted), None if document == STANDARD_OUTPUT else Path(document))
    if document != STANDARD_OUTPUT:
        from pytest_twin.report.prediction.terminal import text as terminal_text

        click.echo(terminal_text(predicted))
