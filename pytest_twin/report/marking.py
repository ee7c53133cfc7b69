"""Text and figures as HTML: whatever stands in a test's id or on a machine, it is text and nothing else."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from markupsafe import Markup

from pytest_twin.model.table import visible

NOTHING = "–"  # noqa: RUF001 - a dash, and no minus


def html(form: str, *cells: object, **named: object) -> Markup:
    """A piece of HTML: what is put into the form is escaped, unless it is HTML made by this function."""
    return Markup(form).format(*map(_shown, cells), **{name: _shown(cell) for name, cell in named.items()})  # noqa: S704


def _shown(cell: object) -> object:
    return visible(cell) if isinstance(cell, str) and not isinstance(cell, Markup) else cell


def joined(pieces: Iterable[Markup]) -> Markup:
    """One after another."""
    return Markup("").join(pieces)


def identity(nodeid: str) -> Markup:
    """The id of a test, its name stronger than its file."""
    file, sign, name = nodeid.partition("::")
    if not sign:
        return html('<span class="id"><b>{}</b></span>', nodeid)
    return html('<span class="id">{}::<wbr><b>{}</b></span>', file, name)


def badge(outcome: str) -> Markup:
    """How a test went."""
    return html('<span class="badge {}">{}</span>', outcome.split(" ")[0], outcome or "unknown")


def facts(pairs: Iterable[tuple[str, object]], kind: str = "facts") -> Markup:
    """Names and values; a value of None is left out."""
    rows = [html("<div><dt>{}</dt><dd>{}</dd></div>", name, value) for name, value in pairs if value is not None]
    return html('<dl class="{}">{}</dl>', kind, joined(rows)) if rows else Markup("")


def data(name: str, document: Mapping[str, Any]) -> Markup:
    """Data for the scripts of a page: JSON in which nothing can be taken for the end of its element."""
    text = json.dumps(document, separators=(",", ":"), allow_nan=False)  # in ASCII, so of one length everywhere
    safe = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return html('<script type="application/json" id="{}">{}</script>', name, Markup(safe))  # noqa: S704 - just escaped


def lasting(seconds: float | None) -> str:
    """A time for people: ``1.2 ms``, ``340 ms``, ``5.25 s``, ``12.3 s``, ``2:05 min``, ``1:00:00 h``."""
    if seconds is None or math.isnan(seconds):
        return NOTHING
    if seconds < 0.9995:
        return f"{seconds * 1000:.{1 if seconds < 0.00995 else 0}f} ms"
    if seconds < 59.95:
        return f"{seconds:.{2 if seconds < 9.995 else 1}f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} h" if hours else f"{minutes}:{rest:02} min"


def number(value: float | None) -> str:
    """A figure with three digits that matter."""
    if value is None or math.isnan(value):
        return NOTHING
    if value and abs(value) < 0.00995:
        return f"{value:.2g}"
    return f"{value:,.{0 if abs(value) >= 99.95 or value == 0 else 1 if abs(value) >= 9.95 else 2}f}"


def size(mib: float | None) -> str:
    """An amount of bytes."""
    if mib is None or math.isnan(mib):
        return NOTHING
    return f"{mib / 1024:.2f} GiB" if mib >= 1024 else f"{number(mib)} MiB"


def count(many: int, one: str, more: str | None = None) -> str:
    """So many of something: ``1 test``, ``2 tests``."""
    return f"{many:,} {one if many == 1 else more or one + 's'}"
