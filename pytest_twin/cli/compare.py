"""``pytest-twin compare``: compare runs before and after a change."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pytest_twin.cli._options import settings_of, settings_options, write_or_print
from pytest_twin.model.measure import ChangeLimit, LimitError, parse_limits
from pytest_twin.run_folder.baselines import BaselineError, RunSet, find
from pytest_twin.settings.options import Settings

if TYPE_CHECKING:
    from pytest_twin.analysis.comparison.comparison import Comparison

LIMIT_BROKEN_STATUS = 1
FORMS = ("terminal", "md", "html", "json")


class IncomparableRuns(click.ClickException):
    """The runs cannot be compared."""

    exit_code = 2


@click.command
@click.argument("before", metavar="[A]", required=False)
@click.argument("after", metavar="[B]", required=False)
@click.option(
    "--fail-on",
    multiple=True,
    metavar="LIMIT",
    help="exit with 1 if a measure grows by more than this, such as cpu_seconds>10%, peak_memory>50MiB",
)
@click.option("--strict", is_flag=True, help="refuse to compare runs of different machines")
@click.option(
    "--scale-by-speed",
    is_flag=True,
    help="scale CPU seconds to the speed of the first machine of A, by the scores in the fingerprints",
)
@click.option(
    "--format", "form", type=click.Choice(FORMS), default=FORMS[0], help="format of the comparison (default: terminal)"
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="write to this file (default: standard output)",
)
@click.option("--history", metavar="NAME", help="find change points in the runs of this baseline with apache-otava")
@settings_options("baselines", "report_dir")
def command(
    before: str | None, after: str | None, fail_on: tuple[str, ...], strict: bool, scale_by_speed: bool, form: str,
    output: Path | None, history: str | None, **given: Any,
) -> None:  # fmt: skip
    """Compare resource usage between runs, with its confidence.

    A and B are each the name of a baseline, which stands for all its runs; the path of a run folder, or of a folder
    with several of them; or "last", the run that was saved last. B defaults to the report directory.

    The exit status is 0 if no limit is exceeded, 1 if a limit is exceeded, and 2 if the runs cannot be compared.
    """
    settings = settings_of(given)
    if history is not None:
        others = {"A": before, "B": after, "--fail-on": fail_on, "--strict": strict, "--scale-by-speed": scale_by_speed}
        _only_history({**others, "--format": form != FORMS[0], "--output": output})
        from pytest_twin.cli._otava import analyze_history

        analyze_history(history, settings.baselines)
        return
    if before is None:
        raise click.UsageError(
            "give the runs to compare: pytest-twin compare A B, or only A to compare it with the report directory"
        )
    limits = _limits(fail_on) or settings.fail_on
    compared = _compared(before, after, limits, settings, scale_by_speed=scale_by_speed)
    if strict and compared.machines:
        raise IncomparableRuns(f"--strict: the machines differ: {', '.join(compared.machines)}")
    _show(compared, form, output)
    if compared.broken:
        raise click.exceptions.Exit(LIMIT_BROKEN_STATUS)


def _only_history(others: Mapping[str, object]) -> None:
    """Refuse what does not apply to a history.

    Raises:
        click.UsageError: Something was given.
    """
    if given := [name for name, value in others.items() if value]:
        raise click.UsageError(f"--history takes the runs of one baseline; omit {' and '.join(given)}")


def _limits(fail_on: tuple[str, ...]) -> tuple[ChangeLimit, ...]:
    try:
        return parse_limits(fail_on)
    except LimitError as error:
        raise click.UsageError(f"--fail-on: {error}") from None


def _compared(
    before: str, after: str | None, limits: tuple[ChangeLimit, ...], settings: Settings, *, scale_by_speed: bool
) -> Comparison:
    from pytest_twin.report.comparison.build import comparison

    here = Path.cwd()
    try:
        earlier = find(before, here / settings.baselines, here)
        later = RunSet(str(settings.report_dir), [here / settings.report_dir])
        if after is not None:
            later = find(after, here / settings.baselines, here)
        return comparison(earlier, later, limits, scale_by_speed=scale_by_speed)
    except (BaselineError, ValueError) as error:
        raise IncomparableRuns(str(error)) from None


def _show(compared: Comparison, form: str, output: Path | None) -> None:
    if form == "md":
        from pytest_twin.report.comparison.markdown import markdown

        write_or_print(markdown(compared).removesuffix("\n"), output)
    elif form == "html":
        from pytest_twin.report.comparison.html import page

        write_or_print(page(compared).removesuffix("\n"), output)
    elif form == "json":
        from pytest_twin.report.comparison import json_document

        write_or_print(json_document.text(compared), output)
    else:
        from pytest_twin.report.comparison.terminal import text

        write_or_print(text(compared, plain=output is not None), output)
