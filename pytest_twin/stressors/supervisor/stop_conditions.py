"""Conditions on samples that stop a load, such as ``ram_used_percent>95``.

The samples are the rows that a sampler appends to a CSV file; its last complete row is the latest sample.
"""

from __future__ import annotations

import operator
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ABOVE, BELOW = ">", "<"
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    ABOVE: operator.gt, BELOW: operator.lt, ">=": operator.ge, "<=": operator.le,
}  # fmt: skip
LONGEST_ROW = 1 << 14


class DatasetTail:
    """The last row of a growing dataset."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._names: Sequence[str] = ()

    def latest(self) -> dict[str, str]:
        """Return the last complete row by column; empty if there is none."""
        try:
            with open(self._path, "rb") as file:
                if not self._names:
                    heading = file.readline()
                    self._names = heading.decode().strip().split(",") if heading.endswith(b"\n") else ()
                end = file.seek(0, os.SEEK_END)
                file.seek(max(0, end - LONGEST_ROW))
                *lines, _ = file.read().split(b"\n")
        except (OSError, ValueError):
            return {}
        cells = lines[-1].decode().split(",") if lines else []
        return dict(zip(self._names, cells, strict=True)) if len(cells) == len(self._names) else {}


def check_sample(conditions: Sequence[tuple[str, str, float]], sample: dict[str, str]) -> str:
    """Return a description of the first condition that holds for a sample; empty if none does.

    Args:
        conditions: Of each a column, a key of `COMPARISONS`, and a number.
        sample: A row of the dataset by column.
    """
    for column, comparison, limit in conditions:
        try:
            value = float(sample[column])
        except (KeyError, ValueError):  # an empty cell, or no such column yet
            continue
        if COMPARISONS[comparison](value, limit):
            return f"stop_when: {column} is {value:g}, {comparison} {limit:g}"
    return ""
