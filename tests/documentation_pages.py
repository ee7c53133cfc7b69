"""The pages for people: where they are, their blocks of code, and their links."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
LINK = re.compile(r"\]\((?!https?:|inv:)([^)#\s]*)(?:#([^)\s]+))?\)")


class Block(NamedTuple):
    """A block of code of a page."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks_of(page: Path) -> Iterator[Block]:
    """Yield the blocks of a page; a directive of MyST is none."""
    text = page.read_text(encoding="utf-8")
    for found in re.finditer(r"^( *)```(\S*).*?\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL):
        if found[2].startswith("{"):
            continue
        line = text.count("\n", 0, found.start()) + 1
        yield Block(str(page.relative_to(ROOT)), line, found[2], textwrap.dedent(found[3]))


def headings_of(page: Path) -> set[str]:
    """Return the anchors of the headings of a page, as GitHub and MyST make them."""
    found = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}
