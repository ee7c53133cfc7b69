"""A prediction as a table in the terminal."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from rich.table import Table

from pytest_twin.analysis.prediction.predicted_tests import PredictedTest, Prediction
from pytest_twin.analysis.prediction.prediction import SHARES
from pytest_twin.model.csv_text import visible
from pytest_twin.model.duration_text import format_duration
from pytest_twin.report.console_text import console_text
from pytest_twin.report.prediction.wording import format_slowdown, note_lines, opening_line

if TYPE_CHECKING:
    from rich.console import Console

MEDIAN = "median"


def text(prediction: Prediction, *, plain: bool = False) -> str:
    """Return the prediction: a row for each test; plain without styles and with a fixed width."""
    return console_text(partial(_print, prediction), plain=plain)


def _print(prediction: Prediction, console: Console) -> None:
    console.print(opening_line(prediction), markup=False, highlight=False, soft_wrap=True)
    console.print(_table(prediction))
    for line in note_lines(prediction):
        console.print(f"note: {line}", markup=False, highlight=False, soft_wrap=True)


def _table(prediction: Prediction) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("test", overflow="fold")
    titles = [MEDIAN if share == 0.5 else f"p{100 * share:.0f}" for share in SHARES]
    for title in ("without load", *titles, "at mean load"):
        table.add_column(title, justify="right", no_wrap=True)
    for each in prediction.tests:
        table.add_row(*_cells(each))
    return table


def _cells(each: PredictedTest) -> list[str]:
    from rich.markup import escape

    found = each.slowdown
    slowdowns = [found.quantiles[share] if found else None for share in SHARES]
    figures = [*slowdowns, found.at_mean_load if found else None]
    return [escape(visible(each.test.name)), format_duration(each.test.idle_s), *map(format_slowdown, figures)]
