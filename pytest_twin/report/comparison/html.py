"""A comparison as a small HTML page that needs no other files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from pytest_twin.analysis.comparison.comparison import Comparison
from pytest_twin.analysis.comparison.verdicts import Difference
from pytest_twin.report.comparison.wording import (
    HEADINGS,
    NUMBERS,
    closing_line,
    limit_verdicts,
    named_tests,
    opening_lines,
    rows,
    tone,
)
from pytest_twin.report.small_page import small_page
from pytest_twin.report.wording import truncate_middle

MOST = 1000  # rows, and tests of a list
MOST_TIMES = 1e9  # what stands for an infinite ratio where rows are sorted


def page(comparison: Comparison) -> str:
    """Return the page."""
    before, after = map(escape, comparison.names)
    heading = escape(opening_lines(comparison)[0])
    return small_page(f"{before} and {after}, compared", heading, [section(comparison)])


def section(comparison: Comparison) -> str:
    """Return everything below the first line, which the report of a run includes too."""
    return "\n".join(_section(comparison))


def _section(comparison: Comparison) -> Iterator[str]:
    yield from (f"<p>{escape(line)}</p>" for line in (*opening_lines(comparison)[1:], closing_line(comparison)))
    verdicts = "".join(f"<li>{escape(each.text)}</li>" for each in limit_verdicts(comparison))
    yield f"<ul>{verdicts}</ul>" if verdicts else ""
    heads = (f'<th scope="col"{_kind(name)}>{name.capitalize()}</th>' for name in HEADINGS)
    yield '<div class="scroll" tabindex="0" role="region" aria-label="Comparison">'
    yield '<table class="compared" data-sortable>'
    yield f"<thead><tr>{''.join(heads)}</tr></thead>"
    changed = comparison.changed
    for differences in (comparison.whole, changed[:MOST]):
        yield f"<tbody>{''.join(_rows(differences))}</tbody>"
    yield "</table></div>"
    if len(changed) > MOST:
        yield f"<p>and {len(changed) - MOST:,} more</p>"
    for listed in named_tests(comparison):
        yield f"<h3>{escape(listed.title)} ({len(listed.tests):,})</h3>"
        more = f"<li>and {len(listed.tests) - MOST:,} more</li>" if len(listed.tests) > MOST else ""
        yield f'<ul class="same">{"".join(f"<li>{escape(test)}</li>" for test in listed.tests[:MOST])}{more}</ul>'


def _rows(differences: Sequence[Difference]) -> Iterator[str]:
    """Yield the rows with their sort keys where those differ from the text: verdicts sort by severity."""
    for place, (each, row) in enumerate(zip(differences, rows(differences), strict=True)):
        values = {
            "before": each.before, "after": each.after, "ratio": min(each.ratio, MOST_TIMES) if row.ratio else "",
            "adjusted": min(each.adjusted, MOST_TIMES) if row.ratio else "",
            "95 % interval": "" if each.low is None else min(each.low, MOST_TIMES), "verdict": place,
        }  # fmt: skip
        cells = [f'<td><span class="id">{escape(truncate_middle(row.test))}</span></td>']
        for name, cell in zip(HEADINGS[1:], row[1:], strict=True):
            value = f' data-value="{values[name]}"' if name in values else ""
            cells.append(f"<td{_kind(name)}{value}>{escape(cell)}</td>")
        yield f'<tr class="{tone(each)}">{"".join(cells)}</tr>\n'


def _kind(name: str) -> str:
    return ' class="number"' if name in NUMBERS else ""
