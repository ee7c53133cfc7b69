"""``pytest-twin schedule``: generate a schedule."""

from __future__ import annotations

import json
from pathlib import Path

import click

from pytest_twin.cli._options import Duration, FiniteRange, write_or_print
from pytest_twin.loads.registry import kinds
from pytest_twin.loads.schedule.generator import GeneratorOptions, generate
from pytest_twin.loads.schedule.parser import parse_schedule
from pytest_twin.loads.schedule.schedule import MOST_EVENTS, ScheduleError
from pytest_twin.loads.schedule.schedule_text import format_schedule
from pytest_twin.loads.schedule.schema import json_schema as schema_of
from pytest_twin.loads.spec import LoadError
from pytest_twin.model.machine_formats.parser import parse_text


@click.command
@click.option(
    "--hours",
    type=FiniteRange(0, 24 * 366, min_open=True),
    default=1.0,
    show_default=True,
    help="length of the schedule",
)
@click.option("--events", type=click.IntRange(1, MOST_EVENTS), default=20, show_default=True, help="number of loads")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63 - 1),
    default=0,
    show_default=True,
    help="seed of the random numbers; the same seed gives the same schedule",
)
@click.option("--shortest", type=Duration(), default="1m", show_default=True, help="duration of the shortest load")
@click.option("--longest", type=Duration(), default="20m", show_default=True, help="duration of the longest load")
@click.option("--overlap/--no-overlap", default=True, show_default=True, help="whether loads may overlap")
@click.option(
    "--weight",
    "weights",
    multiple=True,
    metavar="KIND=N",
    help="relative frequency of a kind, such as cpu=3; 0 excludes it",
)
@click.option(
    "--intensity",
    "intensities",
    multiple=True,
    metavar="KIND=AMOUNT,...",
    help="amounts to choose from, such as cpu=25%,75%",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="write to this file (default: standard output)",
)
@click.option("--schema", is_flag=True, help="print the JSON Schema of schedules instead")
def command(
    hours: float, events: int, seed: int, shortest: float, longest: float, overlap: bool,
    weights: tuple[str, ...], intensities: tuple[str, ...], output: Path | None, schema: bool,
) -> None:  # fmt: skip
    """Generate a random schedule of loads.

    The same seed gives the same schedule.
    """
    if schema:
        text = json.dumps(schema_of(kinds()), indent=2)
    else:
        generator_options = GeneratorOptions(
            hours * 3600, events, seed, shortest, longest, overlap,
            weights={key: _parse_number(key, value) for key, value in map(_parse_pair, weights)},
            intensities={key: value.split(",") for key, value in map(_parse_pair, intensities)},
        )  # fmt: skip
        try:
            document = generate(generator_options, kinds())
            parse_schedule(json.dumps(document), "schedule", kinds(), parse_text)  # it replays nothing
        except (LoadError, ScheduleError, ValueError) as error:
            raise click.UsageError(str(error)) from None
        text = format_schedule(document)
    write_or_print(text, output)


def _parse_pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not value:
        raise click.UsageError(f"{text!r} is not KIND=VALUE, such as cpu=3")
    return key, value


def _parse_number(key: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise click.UsageError(f"--weight {key}: {text!r} is not a number") from None
