"""The loads of a run as plain lines for the terminal."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from textwrap import wrap

from pytest_twin.analysis.run.by_host import on_host
from pytest_twin.analysis.run.load_lines import LoadLine, Row, loads, skipped
from pytest_twin.loads.registry import load_keyword, load_text
from pytest_twin.report.load_shortfall import achieved_amounts, fold_alike, load_troubles
from pytest_twin.report.wording import TERMINAL_WIDTH, truncate_middle
from pytest_twin.run_folder.layout import ANNOTATIONS

MOST_LOADS = 10
LONGEST_REQUEST = 36


def load_lines(events: Sequence[Row], warned: Collection[str]) -> Iterator[str]:
    """Yield the loads that were applied, and the number of those that were not reached.

    Args:
        events: The rows of annotations.csv about loads.
        warned: What the user was warned about already, as in ``cpu=75%: starved``.
    """
    yield from _load_table(loads(events), warned)
    missing = skipped(events)
    if missing:
        kinds = ", ".join(f"{number} {load_keyword(kind)}" for kind, number in missing.items())
        yield f"not started before the end of the run: {kinds}"


def _load_table(found: Sequence[LoadLine], warned: Collection[str]) -> Iterator[str]:
    """Yield a table of the loads, grouped by request, with what was short of the request where nobody was warned."""
    if not found:
        return
    texts = [load_text(line.type, line.target) for line in found]
    asked = [truncate_middle(text, LONGEST_REQUEST) for text in texts]
    width = max([12, *map(len, asked)]) + 1
    yield f"{'load':<{width}}{'times':>5}{'held':>10}  achieved"
    for line, text, request in zip(found[:MOST_LOADS], texts, asked, strict=False):
        troubles = load_troubles(line)
        untold = [trouble for trouble in troubles if f"{text}: {trouble}" not in warned]
        note = " (see above)" if len(untold) < len(troubles) else ""
        came = f"{achieved_amounts(line)}{on_host(line.host)}{note}".lstrip()
        before = f"{request:<{width}}{line.times:>5}{line.held_s:>8.1f} s  "
        yield from wrap(f"{before}{came}", TERMINAL_WIDTH, subsequent_indent=" " * len(before), break_on_hyphens=False)
        for trouble in fold_alike(untold):
            yield from wrap(trouble, TERMINAL_WIDTH, initial_indent="    ", subsequent_indent="    ")
    if len(found) > MOST_LOADS:
        yield f"… and {len(found) - MOST_LOADS} more in {ANNOTATIONS}"
