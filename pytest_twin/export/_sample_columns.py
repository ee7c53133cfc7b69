"""The columns of a frame, value by value, for formats that write one value after another."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import pandas as pd


class ValueColumn(NamedTuple):
    """A column that has a value.

    Attributes:
        name: Its name.
        unit: Its unit; empty for none.
        cells: Its values; None where one is missing.
    """

    name: str
    unit: str
    cells: Sequence[Any]


def value_columns(frame: pd.DataFrame, skip: Container[str] = ()) -> list[ValueColumn]:
    """Return the columns that have a value.

    Args:
        frame: A frame of a run.
        skip: The columns to leave out.
    """
    return list(_columns(frame, skip))


def _columns(frame: pd.DataFrame, skip: Container[str]) -> Iterator[ValueColumn]:
    units = frame.attrs.get("units", {})
    for name in frame.columns:
        cells = frame[name]
        if name not in skip and cells.notna().any():
            found = cells.astype(object).where(cells.notna(), None).tolist()
            yield ValueColumn(str(name), units.get(name, ""), found)


def stamps(frame: pd.DataFrame) -> list[str]:
    """Return the time of each row: ISO 8601, UTC, with milliseconds."""
    index: Any = frame.index
    return [f"{text[:23]}Z" for text in index.strftime("%Y-%m-%dT%H:%M:%S.%f")]


def nanoseconds(frame: pd.DataFrame) -> list[int]:
    """Return the time of each row in nanoseconds since 1970."""
    index: Any = frame.index
    found: list[int] = index.as_unit("ns").asi8.tolist()
    return found
