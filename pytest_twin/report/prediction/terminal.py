"""A prediction as a table in the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from pytest_twin.analysis.prediction.predicted_tests import PredictedTest, Prediction
from pytest_twin.analysis.prediction.prediction import SHARES, SlowdownRange
from pytest_twin.model.csv_text import visible
from pytest_twin.model.duration_text import NOTHING, format_duration
from pytest_twin.report.console_text import console_text, print_line
from pytest_twin.report.prediction.wording import note_lines, opening_line
from pytest_twin.report.wording import align, format_number

if TYPE_CHECKING:
    from rich.console import Console

MEDIAN = "median"
INTERVAL = "  interval"


def text(prediction: Prediction, *, plain: bool = False) -> str:
    """Return the prediction: for each test its slowdowns, and their intervals below; plain without styles."""
    return console_text(partial(_print, prediction), plain=plain)


def _print(prediction: Prediction, console: Console) -> None:
    print_line(console, opening_line(prediction))
    for line in _table(prediction):
        print_line(console, line)
    for line in note_lines(prediction):
        print_line(console, f"note: {line}")


def _table(prediction: Prediction) -> Iterator[str]:
    """Yield the lines; the id of a test, which may be long, is a heading above its figures."""
    titles = [MEDIAN if share == 0.5 else f"p{100 * share:.0f}" for share in SHARES]
    of_tests = [_rows(each) for each in prediction.tests]
    head, *lines = align(
        [("  without load", *titles, "at mean load"), *(row for rows in of_tests for row in rows)], last_left=False
    )
    yield head
    texts = iter(lines)
    for each, rows in zip(prediction.tests, of_tests, strict=True):
        yield visible(each.test.name)
        yield from (next(texts) for _ in rows)


def _rows(each: PredictedTest) -> list[tuple[str, ...]]:
    """Return the slowdowns of a test, and their intervals where any is known."""
    found = each.slowdown
    figures = [*(found.quantiles[share] if found else None for share in SHARES), found.at_mean_load if found else None]
    intervals = [_interval(figure) for figure in figures]
    slowdowns = (f"  {format_duration(each.test.idle_s)}", *map(_slowdown, figures))
    return [slowdowns, (INTERVAL, *intervals)] if any(intervals) else [slowdowns]


def _slowdown(found: SlowdownRange | None) -> str:
    """Return a slowdown or a range of it with three digits: ``x1.85``, ``x10.3 to x12.4``."""
    if found is None:
        return NOTHING
    largest, product = (f"x{format_number(value)}" for value in (found.largest, found.product))
    return largest if largest == product else f"{largest} to {product}"


def _interval(found: SlowdownRange | None) -> str:
    if found is None or found.low is None or found.high is None:
        return ""
    return f"{format_number(found.low)} to {format_number(found.high)}"
