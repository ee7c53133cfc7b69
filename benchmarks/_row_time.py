"""A probe of the benchmarks: the time of each row, finer than the dataset's own."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_twin.model.columns import Column, Value
from pytest_twin.telemetry.probes import ProbeContext

COLUMNS = (Column("row_time_s", "s", "Monotonic time of the row.", digits=9),)


def probe(context: ProbeContext) -> RowTime:  # noqa: ARG001
    """The reader, which needs nothing."""
    return RowTime()


class RowTime:
    """Hands the time through."""

    def read(self, at: float) -> Sequence[Value]:
        """One value a column."""
        return (at,)
