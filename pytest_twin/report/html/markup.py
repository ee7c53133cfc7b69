"""Escape text and format values as HTML."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from markupsafe import Markup

from pytest_twin.analysis.run.by_host import display_name
from pytest_twin.model.csv_text import visible

if TYPE_CHECKING:
    from pytest_twin.analysis.run.run_summary import RunSummary

NO_BREAK = "\N{NO-BREAK SPACE}"


def markup(form: str, *cells: object, **named: object) -> Markup:
    """Return HTML: all arguments are escaped, unless they were made by this function."""
    return Markup(form).format(*map(_shown, cells), **{name: _shown(cell) for name, cell in named.items()})  # noqa: S704


def _shown(cell: object) -> object:
    return visible(cell) if isinstance(cell, str) and not isinstance(cell, Markup) else cell


def block(text: str) -> Markup:
    """Return a text of several lines as a block, such as a traceback."""
    return markup("<pre>{}</pre>", Markup("\n").join(markup("{}", line) for line in text.splitlines()))


def join(pieces: Iterable[Markup]) -> Markup:
    """Join pieces of HTML."""
    return Markup("").join(pieces)


def identity(nodeid: str) -> Markup:
    """Return the id of a test, with its name emphasized."""
    file, sign, name = nodeid.partition("::")
    if not sign:
        return markup('<span class="id"><b>{}</b></span>', breakable(nodeid))
    return markup('<span class="id">{}::<wbr><b>{}</b></span>', file, breakable(name))


def breakable(name: str) -> Markup:
    """Return a name that breaks between its words where a line is too short for it."""
    return Markup("_<wbr>").join(markup("{}", word) for word in name.split("_"))


def badge(outcome: str) -> Markup:
    """Return the outcome of a test as a badge."""
    return markup('<span class="badge {}">{}</span>', outcome.split(" ", maxsplit=1)[0], outcome or "unknown")


def copied_command(command: str, lead: str = "") -> Markup:
    """Return a command with a button that copies it."""
    return markup(
        '<p class="again">{}<button type="button" data-copy="{}">Copy</button> <code>{}</code></p>',
        lead,
        command,
        command,
    )


def definition_list(pairs: Iterable[tuple[str, object]]) -> Markup:
    """Return names and values as a definition list; a value of None is left out."""
    rows = [markup("<div><dt>{}</dt><dd>{}</dd></div>", name, value) for name, value in pairs if value is not None]
    return markup('<dl class="facts">{}</dl>', join(rows)) if rows else Markup("")


class TableHead(NamedTuple):
    """The heading of a column.

    Attributes:
        text: What it says.
        is_number: Whether its cells are figures.
        is_wide: Whether its cells take a line of their own on a phone.
    """

    text: str
    is_number: bool = False
    is_wide: bool = False

    @property
    def kind(self) -> str:
        """The classes of its cells."""
        return " ".join(["number"] * self.is_number + ["whole"] * self.is_wide)


def stacked_table(heads: Sequence[TableHead], rows: Iterable[Sequence[object]], chosen: int | None = None) -> Markup:
    """Return a table of which each row is a block of named values on a phone.

    Args:
        heads: The headings of its columns.
        rows: The cells of each row; the first one names the row.
        chosen: The index of the row to emphasize.
    """
    top = join(markup('<th scope="col" class="{}">{}</th>', head.kind, head.text) for head in heads)
    lines = join(
        markup("<tr{}>{}</tr>", Markup(' class="chosen"') if place == chosen else "", _cells(heads, cells))
        for place, cells in enumerate(rows)
    )
    return markup('<table class="stack"><thead><tr>{}</tr></thead><tbody>{}</tbody></table>', top, lines)


def _cells(heads: Sequence[TableHead], cells: Sequence[object]) -> Markup:
    first, *others = cells
    named = zip(heads[1:], others, strict=True)
    return markup('<th scope="row">{}</th>', first) + join(
        markup('<td class="{}" data-label="{}">{}</td>', head.kind, head.text, _unbroken(head, cell))
        for head, cell in named
    )


def _unbroken(head: TableHead, cell: object) -> object:
    """Return the figures of a cell so that they stay beside their units where a line is short."""
    return cell.replace(" ", NO_BREAK) if head.is_number and type(cell) is str else cell


def data_element(name: str, document: Mapping[str, Any]) -> Markup:
    """Return data for the scripts of the page: JSON that cannot end its element early."""
    text = json.dumps(document, separators=(",", ":"), allow_nan=False)  # in ASCII, so of one length everywhere
    safe = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return markup('<script type="application/json" id="{}">{}</script>', name, Markup(safe))  # noqa: S704 - just escaped


def each_host(summary: RunSummary, piece: Callable[[RunSummary], Markup]) -> Markup:
    """Return the piece of each host, below its name if there are several."""
    if not summary.hosts:
        return piece(summary)
    return join(
        markup('<div class="host"><h3>{}</h3>{}</div>', display_name(own.host), piece(own)) for own in summary.hosts
    )
