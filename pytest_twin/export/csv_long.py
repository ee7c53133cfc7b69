"""Export the samples of a run as a long table, for programs that expect one value in each row.

A row is one value of one column at one time; a missing value has no row.
"""

from __future__ import annotations

from collections.abc import Iterator

from pytest_twin.analysis.run.run_summary import RunSummary
from pytest_twin.export._sample_columns import stamps, value_columns
from pytest_twin.model.columns import ELAPSED
from pytest_twin.model.csv_text import header, record

FILE = "samples_long.csv"
FIELDS = ("timestamp", ELAPSED.name, "host", "metric", "unit", "value")
BEGINNING = header(FIELDS)


def lines(summary: RunSummary) -> Iterator[str]:
    """Yield a line for each value: host by host, and in the order of time."""
    yield BEGINNING
    for own in summary.by_host:
        samples = own.run.samples
        columns = value_columns(samples, skip={ELAPSED.name})
        elapsed = samples.get(ELAPSED.name)
        times = [""] * len(samples) if elapsed is None else [f"{at:.4f}" if at == at else "" for at in elapsed]  # noqa: PLR0124 - NaN
        for place, (stamp, at) in enumerate(zip(stamps(samples), times, strict=True)):
            for column in columns:
                if (value := column.cells[place]) is not None:
                    yield record((stamp, at, own.host, column.name, column.unit, str(value)))
