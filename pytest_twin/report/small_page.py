"""A small HTML page that needs no other files, apart from its contents."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

TABLE = (Path(__file__).parent / "html" / "assets" / "compared.css").read_text(encoding="utf-8")
STYLE = f"""
:root {{ color-scheme: light dark; --bad: #b3400d; --good: #0a6aa1; --line: #8886; --soft: #888; --card: #8882; }}
@media (prefers-color-scheme: dark) {{ :root {{ --bad: #ff9a66; --good: #6fc3f5; }} }}
body {{ font: 15px/1.45 system-ui, sans-serif; margin: 1.5rem auto; max-width: 75rem; padding: 0 1rem; }}
h1 {{ font-size: 1.4rem; line-height: 1.25; overflow-wrap: anywhere; }}
.scroll {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; }}
th, td {{ padding: .25rem .6rem; text-align: left; border-bottom: 1px solid var(--line); vertical-align: top; }}
.number {{ text-align: right; white-space: nowrap; }}
{TABLE}""".strip()
POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def small_page(title: str, heading: str, body: Iterable[str], *, style: str = "") -> str:
    """Return a page.

    Args:
        title: Its title, as HTML.
        heading: Its first heading, as HTML.
        body: What stands below, as HTML.
        style: Further rules of CSS.
    """
    rules = "\n".join(filter(None, (STYLE, style)))
    return "\n".join(
        (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{title}</title>\n<style>\n{rules}\n</style>\n</head>\n<body>\n<h1>{heading}</h1>",
            *body,
            "</body>\n</html>\n",
        )
    )
