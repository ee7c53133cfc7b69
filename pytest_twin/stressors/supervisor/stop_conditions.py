"""When to stop a load for what the samples say: ``ram_used_percent>95``.

The samples are those that a sampler appends to a CSV file beside us; its last whole row is the latest.
"""

from __future__ import annotations

import operator
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ABOVE, BELOW = ">", "<"
HOLDS: dict[str, Callable[[float, float], bool]] = {
    ABOVE: operator.gt, BELOW: operator.lt, ">=": operator.ge, "<=": operator.le,
}  # fmt: skip
LONGEST_ROW = 1 << 14


class DatasetTail:
    """The last row of a dataset that grows."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._names: Sequence[str] = ()

    def latest(self) -> dict[str, str]:
        """It, by column; empty while there is none."""
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


def met(conditions: Sequence[tuple[str, str, float]], row: dict[str, str]) -> str:
    """The first condition that a row meets, in words; empty where it meets none.

    Args:
        conditions: Of each a column, a comparison of `HOLDS`, and a number.
        row: A sample.
    """
    for column, comparison, limit in conditions:
        try:
            value = float(row[column])
        except (KeyError, ValueError):  # empty, or not yet there
            continue
        if HOLDS[comparison](value, limit):
            return f"stop_when: {column} is {value:g}, {comparison} {limit:g}"
    return ""
