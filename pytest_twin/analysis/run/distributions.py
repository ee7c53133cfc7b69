"""Distributions of the main columns of a run, and the correlations between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pytest_twin.model.time_axis import Values

if TYPE_CHECKING:
    import pandas as pd

MAIN = (
    "cpu_percent", "tests_cpu_percent", "stress_cpu_percent", "ram_used_percent", "tests_resident_MB", "disk_read_MB",
    "disk_write_MB", "net_sent_MB", "net_recv_MB", "pressure_cpu_percent", "pressure_memory_percent",
    "pressure_io_percent", "load_1m", "process_count",
)  # fmt: skip
BINS = 30
FEWEST = 3  # the least number of samples to describe


class Distribution(NamedTuple):
    """A histogram of the values of a column.

    Attributes:
        column: Its name.
        unit: Its unit.
        counts: Number of samples in each of several bins of equal width.
        low: Lower border of the first bin.
        high: Upper border of the last bin.
        quantiles: The 5 % quantile, the median and the 95 % quantile.
    """

    column: str
    unit: str
    counts: list[int]
    low: float
    high: float
    quantiles: tuple[float, float, float]


class Correlations(NamedTuple):
    """Spearman's rank correlation of each pair of columns; NaN where one of them does not vary.

    Attributes:
        columns: Their names.
        values: One row for each.
    """

    columns: list[str]
    values: np.ndarray[Any, np.dtype[np.float64]]


def distributions(samples: pd.DataFrame) -> list[Distribution]:
    """Return the distributions of the main columns that vary."""
    units = samples.attrs.get("units", {})
    return [_distribution(name, units.get(name, ""), values) for name, values in _main(samples).items()]


def correlations(samples: pd.DataFrame) -> Correlations:
    """Return the correlations of the same columns, by ranks, since most of them are mostly 0 and sometimes large."""
    import pandas as pd

    frame = pd.DataFrame({name: samples[name].astype(float) for name in _main(samples)})
    return Correlations(list(frame.columns), frame.rank().corr().to_numpy())


def _main(samples: pd.DataFrame) -> dict[str, Values]:
    found = {}
    for name in MAIN:
        if name in samples:
            values = samples[name].dropna().to_numpy(float)
            if len(values) >= FEWEST and values.min() < values.max():
                found[name] = values
    return found


def _distribution(name: str, unit: str, values: Values) -> Distribution:
    counts, edges = np.histogram(values, BINS)
    low, middle, high = np.quantile(values, [0.05, 0.5, 0.95])
    return Distribution(
        name, unit, counts.tolist(), float(edges[0]), float(edges[-1]), (float(low), float(middle), float(high))
    )
