"""A probe for the benchmarks: the time of each row, with more digits than in the dataset."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_twin.model.columns import Column, Value
from pytest_twin.telemetry.probes import ProbeContext

COLUMNS = (Column("row_time_s", "s", "Monotonic time of the row.", digits=9),)


def probe(context: ProbeContext) -> RowTime:  # noqa: ARG001
    """Return the probe."""
    return RowTime()


class RowTime:
    """Return the time of the row."""

    def read(self, at: float) -> Sequence[Value]:
        """Return one value for each column."""
        return (at,)
