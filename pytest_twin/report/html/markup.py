"""Escape text and format values as HTML."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from pytest_twin.analysis.run.by_host import display_name
from pytest_twin.model.csv_text import visible

if TYPE_CHECKING:
    from pytest_twin.analysis.run.run_summary import RunSummary


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
        return markup('<span class="id"><b>{}</b></span>', nodeid)
    return markup('<span class="id">{}::<wbr><b>{}</b></span>', file, name)


def badge(outcome: str) -> Markup:
    """Return the outcome of a test as a badge."""
    return markup('<span class="badge {}">{}</span>', outcome.split(" ", maxsplit=1)[0], outcome or "unknown")


def definition_list(pairs: Iterable[tuple[str, object]]) -> Markup:
    """Return names and values as a definition list; a value of None is left out."""
    rows = [markup("<div><dt>{}</dt><dd>{}</dd></div>", name, value) for name, value in pairs if value is not None]
    return markup('<dl class="facts">{}</dl>', join(rows)) if rows else Markup("")


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
