"""One of the two sides of a comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import pandas as pd


class Side(NamedTuple):
    """One of the two sides of a comparison.

    Attributes:
        name: Its name for the user.
        runs: The rows of tests.csv of each run.
        fingerprints: For each run the fingerprints of its hosts by their names; None if unknown.
        problems: Rows that could not be read, one line each.
    """

    name: str
    runs: Sequence[pd.DataFrame]
    fingerprints: Sequence[Mapping[str, Mapping[str, Any] | None]]
    problems: Sequence[str] = ()

    def of_host(self, host: str) -> list[Mapping[str, Any] | None]:
        """Return the fingerprints of a host in all runs that have it."""
        return [run[host] for run in self.fingerprints if host in run] or [None]
