"""A scorecard as a table in the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from pytest_twin.analysis.fidelity.gates import FAILED, NOT_JUDGED, PASSED, GateVerdict
from pytest_twin.analysis.fidelity.scorecard import ResourceFidelity, Scorecard
from pytest_twin.model.duration_text import NOTHING
from pytest_twin.report.console_text import console_text, print_line
from pytest_twin.report.fidelity.wording import failure_lines, format_limit, format_value, gap_lines, opening_lines

if TYPE_CHECKING:
    from rich.console import Console

STYLES = {PASSED: "green", FAILED: "bold red", NOT_JUDGED: "dim"}
LEAST_EXPLANATION, LARGEST_WIDTH = 26, 10_000
MARKS = {PASSED: "", FAILED: " ✗", NOT_JUDGED: ""}


def text(card: Scorecard) -> str:
    """Return the scorecard: a row for each gate, a column for each resource; failed gates have a cross.

    A table that is too wide is split. What only the run has is in the list of what was not judged.
    """
    return console_text(partial(_print, card))


def _print(card: Scorecard, console: Console) -> None:
    for line in opening_lines(card):
        print_line(console, line)
    for table in _tables(card, console):
        console.print(table)
    for heading, lines in (("failed:", failure_lines(card)), ("not judged:", gap_lines(card))):
        for place, line in enumerate(lines):
            if not place:
                console.print(heading, highlight=False)
            print_line(console, f"  {line}")


def _tables(card: Scorecard, console: Console) -> Iterator[Table]:
    """Yield the table, or several that fit the width and leave out what a failure tells, which the failures repeat."""
    resources = card.recorded
    if not resources:
        return
    if _width(card, resources, console) + LEAST_EXPLANATION <= console.width:
        yield _table(card, resources, explains=True)
        return
    group: list[ResourceFidelity] = []
    for each in resources:
        if group and _width(card, [*group, each], console) > console.width:
            yield _table(card, group)
            group = []
        group.append(each)
    yield _table(card, group)


def _width(card: Scorecard, resources: Sequence[ResourceFidelity], console: Console) -> int:
    """Return the width of the table of some resources, without what a failure tells."""
    return console.measure(_table(card, resources), options=console.options.update(max_width=LARGEST_WIDTH)).maximum


def _table(card: Scorecard, resources: Sequence[ResourceFidelity], *, explains: bool = False) -> Table:
    """Return the table of some resources; that of the first one has the gate of all together too."""
    table = Table(box=None, pad_edge=False)
    table.add_column("gate", no_wrap=True)
    table.add_column("limit", no_wrap=True)
    for resource in resources:
        table.add_column(resource.name, justify="right", no_wrap=True)
    if explains:
        table.add_column("a failure tells", overflow="fold", style="dim")

    def add_row(title: str, limit: str, cells: Iterable[Text | str], meaning: str, style: str | None = None) -> None:
        table.add_row(title, limit, *cells, *([meaning] if explains else []), style=style)

    for verdicts in zip(*(resource.verdicts for resource in resources), strict=True):
        gate, limit = verdicts[0].gate, verdicts[0].limit
        add_row(gate.title, format_limit(gate, limit), map(_cell, verdicts), gate.catches)
    if resources[0] is card.recorded[0]:
        gate, limit = card.coupling.gate, card.coupling.limit
        blank = [""] * (len(resources) - 1)
        add_row(gate.title, format_limit(gate, limit), [_cell(card.coupling), *blank], gate.catches)
    distances = (NOTHING if each.wasserstein is None else f"{each.wasserstein:.3g} points" for each in resources)
    add_row("Wasserstein distance", "none", distances, "shown only: it is blind to order", "dim")
    add_row("verdict", "", (Text(each.verdict, style=STYLES[each.verdict]) for each in resources), "")
    return table


def _cell(verdict: GateVerdict) -> Text:
    return Text(format_value(verdict) + MARKS[verdict.verdict], style=STYLES[verdict.verdict])
