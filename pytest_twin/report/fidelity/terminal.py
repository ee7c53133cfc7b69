"""A scorecard as a table in the terminal."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from pytest_twin.analysis.fidelity.gates import FAILED, NOT_JUDGED, PASSED, GateVerdict
from pytest_twin.analysis.fidelity.scorecard import Scorecard
from pytest_twin.report.console_text import console_text
from pytest_twin.report.fidelity.wording import failure_lines, format_limit, format_value, gap_lines, opening_lines
from pytest_twin.report.wording import NOTHING

if TYPE_CHECKING:
    from rich.console import Console

STYLES = {PASSED: "green", FAILED: "bold red", NOT_JUDGED: "dim"}
MARKS = {PASSED: "", FAILED: " ✗", NOT_JUDGED: ""}


def text(card: Scorecard) -> str:
    """Return the scorecard: a row for each gate, a column for each resource; failed gates have a cross."""
    return console_text(partial(_print, card))


def _print(card: Scorecard, console: Console) -> None:
    for line in opening_lines(card):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    console.print(_table(card))
    for heading, lines in (("failed:", failure_lines(card)), ("not judged:", gap_lines(card))):
        for place, line in enumerate(lines):
            if not place:
                console.print(heading, highlight=False)
            console.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)


def _table(card: Scorecard) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("gate", no_wrap=True)
    table.add_column("limit", no_wrap=True)
    for resource in card.resources:
        table.add_column(resource.name, justify="right")
    table.add_column("a failure tells", overflow="fold", style="dim")
    for verdicts in zip(*(resource.verdicts for resource in card.resources), strict=True):
        gate, limit = verdicts[0].gate, verdicts[0].limit
        table.add_row(gate.title, format_limit(gate, limit), *map(_cell, verdicts), gate.catches)
    coupling = card.coupling
    blank = [""] * (len(card.resources) - 1)
    table.add_row(
        coupling.gate.title, format_limit(coupling.gate, coupling.limit), _cell(coupling), *blank, coupling.gate.catches
    )
    distances = (NOTHING if each.wasserstein is None else f"{each.wasserstein:.3g} points" for each in card.resources)
    table.add_row("Wasserstein distance", "none", *distances, "shown only: it is blind to order", style="dim")
    verdicts_of_all = (Text(each.verdict, style=STYLES[each.verdict]) for each in card.resources)
    table.add_row("verdict", "", *verdicts_of_all, "")
    return table


def _cell(verdict: GateVerdict) -> Text:
    return Text(format_value(verdict) + MARKS[verdict.verdict], style=STYLES[verdict.verdict])
