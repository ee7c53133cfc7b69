"""Escape text for Markdown and HTML."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pytest_twin.model.csv_text import visible

MARKS = str.maketrans({mark: f"\\{mark}" for mark in "\\`*_[]|~$#@!"} | {"&": "&amp;", "<": "&lt;", ">": "&gt;"})
ITEM = re.compile(r"^(\d*)([-+.)])(?=\s|$)")  # what a list is made of where it begins a line


def escape(text: str) -> str:
    """Return text on one line, with everything escaped that has a meaning in Markdown or HTML."""
    return ITEM.sub(r"\1\\\2", visible(text).translate(MARKS))


def table_row(cells: Sequence[str]) -> str:
    """Return a line of a table from cells that are Markdown already."""
    return f"| {' | '.join(cells)} |"
