"""Text as Markdown: whatever stands in a test's id or on a machine, it is text and nothing else."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pytest_twin.model.csv_text import visible

MARKS = str.maketrans({mark: f"\\{mark}" for mark in "\\`*_[]|~$#@!"} | {"&": "&amp;", "<": "&lt;", ">": "&gt;"})
ITEM = re.compile(r"^(\d*)([-+.)])(?=\s|$)")  # what a list is made of where it begins a line


def escape(text: str) -> str:
    """Text that nothing in Markdown or HTML is made of, on one line."""
    return ITEM.sub(r"\1\\\2", visible(text).translate(MARKS))


def table_row(cells: Sequence[str]) -> str:
    """A line of a table, of cells that are Markdown already."""
    return f"| {' | '.join(cells)} |"
