"""How the main columns of a run are distributed, and how they go together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pytest_twin.analysis.run.spans import Values

if TYPE_CHECKING:
    import pandas as pd

MAIN = (
    "cpu_percent", "tests_cpu_percent", "stress_cpu_percent", "ram_used_percent", "tests_resident_MB", "disk_read_MB",
    "disk_write_MB", "net_sent_MB", "net_recv_MB", "pressure_cpu_percent", "pressure_memory_percent",
    "pressure_io_percent", "load_1m", "process_count",
)  # fmt: skip
BINS = 30
FEWEST = 3  # samples of which something can be said


class Distribution(NamedTuple):
    """How often which value was there.

    Attributes:
        column: Its name.
        unit: Its unit.
        counts: Samples in each of some bins of equal width.
        low: Where the first bin begins.
        high: Where the last one ends.
        quantiles: 5 %, the median, 95 %.
    """

    column: str
    unit: str
    counts: list[int]
    low: float
    high: float
    quantiles: tuple[float, float, float]


class Correlations(NamedTuple):
    """Spearman's rank correlation of each two columns; NaN where one of them does not change.

    Attributes:
        columns: Their names.
        values: One row for each.
    """

    columns: list[str]
    values: np.ndarray[Any, np.dtype[np.float64]]


def distributions(samples: pd.DataFrame) -> list[Distribution]:
    """Those of the main columns that have values which change."""
    units = samples.attrs.get("units", {})
    return [_distribution(name, units.get(name, ""), values) for name, values in _main(samples).items()]


def correlations(samples: pd.DataFrame) -> Correlations:
    """Those of the same columns. Ranks, since most of these columns are mostly 0 and sometimes large."""
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
