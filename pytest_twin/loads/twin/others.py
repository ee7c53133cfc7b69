"""What others did on the machine of a recorded run: the host less the tests and less our stressors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import pandas as pd

TREES = ("tests", "stress")
TESTS_CPU, STRESS_CPU = "tests_cpu_percent", "stress_cpu_percent"
MOST_BUSY = 0.1  # the share of the CPUs that others may use: beside more, a test often waits for one


def has_trees(samples: pd.DataFrame) -> bool:
    """Return whether the rows of a dataset tell what its tests used."""
    return TESTS_CPU in samples and bool(samples[TESTS_CPU].notna().any())


def others_of(samples: pd.DataFrame, cpus: float | None, test_cpus: float | None) -> pd.DataFrame:
    """Return the rows of a dataset of others alone, with the columns of the old datasets as far as they are known.

    Of the traffic over networks nobody knows the part of the tests, so it is left out.

    Args:
        samples: The rows of a dataset.
        cpus: The CPUs of its host.
        test_cpus: The CPUs on which its tests could run. No other process used what they used of these: where they
            were fewer than those of the host, the others had them less busy than the rest.
    """
    import numpy as np

    found = samples[[name for name in ("timestamp", "elapsed_s") if name in samples]].copy()
    if "cpu_percent" in samples:
        found["cpu_percent"] = (samples["cpu_percent"] - _sum(samples, "cpu_percent")).clip(lower=0)
        if cpus and test_cpus and test_cpus < cpus:
            most = 100 - samples[TESTS_CPU] * cpus / test_cpus
            found["cpu_percent"] = np.minimum(found["cpu_percent"], most.clip(lower=0))
    if {"ram_used_percent", "ram_total_GB"} <= {*samples}:
        own = _sum(samples, "resident_MB") / 1024 / samples["ram_total_GB"] * 100
        found["ram_used_percent"] = (samples["ram_used_percent"] - own).clip(lower=0)
        found["ram_total_GB"] = samples["ram_total_GB"]
    for direction in ("read", "write"):
        if (name := f"disk_{direction}_MB") in samples:
            # what a process writes reaches the disk later, so the totals until each row are compared
            beyond = (samples[name].fillna(0) - _sum(samples, f"{direction}_MB").fillna(0)).cumsum()
            total = np.maximum.accumulate(np.maximum(beyond.to_numpy(), 0.0))
            found[name] = np.where(samples[name].isna(), np.nan, np.diff(total, prepend=0.0))
    return found


def share_beside_load(samples: pd.DataFrame) -> float | None:
    """Return the mean share of the CPUs that others used; None if it is not known, or if no load was applied."""
    if "cpu_percent" not in samples or STRESS_CPU not in samples or not (samples[STRESS_CPU] > 0).any():
        return None
    mean = float((samples["cpu_percent"] - _sum(samples, "cpu_percent")).mean()) / 100
    return None if math.isnan(mean) else max(0.0, mean)


def parallel_cpus(samples: pd.DataFrame, cpus: float) -> float | None:
    """Return the CPUs that the tests used at the same time, but for one row of twenty; None if it is not known."""
    if not has_trees(samples):
        return None
    share = float(samples[TESTS_CPU].quantile(0.95))
    return float(max(1, math.ceil(round(share / 100 * cpus, 1))))


def share_of_tests(samples: pd.DataFrame, at: pd.Index[float]) -> Sequence[float]:
    """Return the share of the CPUs that the tests used in the rows with these times, in seconds since the run began."""
    import numpy as np

    known = samples[samples[TESTS_CPU].notna()]
    return cast("Sequence[float]", np.interp(at, known["elapsed_s"], known[TESTS_CPU] / 100))


def _sum(samples: pd.DataFrame, column: str) -> pd.Series[float]:
    """Return a column of the two trees together; unknown where one of them is, unless it has no values at all."""
    names = [name for tree in TREES if (name := f"{tree}_{column}") in samples]
    return samples[names].dropna(axis="columns", how="all").sum(axis="columns", skipna=False)
