"""A comparison as one small page that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from pytest_twin.analysis.comparison import Comparison
from pytest_twin.report.comparison.words import HEADINGS, broken, closing, lists, opening, rows, tone

STYLE = """
:root { color-scheme: light dark; --worse: #b3400d; --better: #0a6aa1; --line: #8886; }
@media (prefers-color-scheme: dark) { :root { --worse: #ff9a66; --better: #6fc3f5; } }
body { font: 15px/1.45 system-ui, sans-serif; margin: 1.5rem auto; max-width: 75rem; padding: 0 1rem; }
.table { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .6rem; text-align: left; border-bottom: 1px solid var(--line); vertical-align: top; }
td:nth-child(n+3):nth-child(-n+5), th:nth-child(n+3):nth-child(-n+5) { text-align: right; white-space: nowrap; }
td:first-child, li { overflow-wrap: anywhere; }
.worse { color: var(--worse); font-weight: 600; } .better { color: var(--better); font-weight: 600; }
""".strip()
POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def page(comparison: Comparison) -> str:
    """The page."""
    before, after = map(escape, comparison.names)
    return "\n".join(
        (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{before} and {after}, compared</title>\n<style>\n{STYLE}\n</style>\n</head>\n<body>",
            *_body(comparison),
            "</body>\n</html>\n",
        )
    )


def _body(comparison: Comparison) -> Iterator[str]:
    first, *others = opening(comparison)
    yield f"<h1>{escape(first)}</h1>"
    yield from (f"<p>{escape(line)}</p>" for line in (*others, closing(comparison)))
    yield from _list(broken(comparison), "worse")
    yield '<div class="table"><table>'
    yield f"<thead><tr>{''.join(map('<th scope=col>{}</th>'.format, HEADINGS))}</tr></thead><tbody>"
    shown = [*comparison.whole, *comparison.told]
    for each, cells in zip(shown, rows(shown), strict=True):
        yield f'<tr class="{tone(each)}">{"".join(f"<td>{escape(cell)}</td>" for cell in cells)}</tr>'
    yield "</tbody></table></div>"
    for listed in lists(comparison):
        yield f"<h2>{escape(listed.title)} ({len(listed.tests)})</h2>"
        yield from _list(listed.tests, "same")


def _list(texts: Sequence[str], tone: str) -> Iterator[str]:
    if texts:
        yield f'<ul class="{tone}">{"".join(f"<li>{escape(text)}</li>" for text in texts)}</ul>'
