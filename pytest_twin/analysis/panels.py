"""The curves of a run, by what they are drawn together with: CPU, memory, disk, network, pressure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pytest_twin.analysis.spans import Values

if TYPE_CHECKING:
    import pandas as pd

SHORTEST_S = 1e-3  # two rows that are nearer have no rate


class Curve(NamedTuple):
    """One line of a panel.

    Attributes:
        name: What the legend calls it, and the key of its colour.
        values: One for each sample; NaN where it is missing.
        is_part: Whether it is stacked on the part before it.
    """

    name: str
    values: Values
    is_part: bool = False


class Panel(NamedTuple):
    """Curves that share an axis.

    Attributes:
        name: Its heading.
        unit: Of its axis.
        curves: From below to above.
        is_share: Whether 100 is all there can be.
    """

    name: str
    unit: str
    curves: Sequence[Curve]
    is_share: bool


def panels(samples: pd.DataFrame, times: Values) -> list[Panel]:
    """The panels of which there is something to draw.

    Args:
        samples: The rows of a dataset.
        times: Their times in seconds.
    """
    gaps = np.diff(times, prepend=np.nan)
    gaps[gaps < SHORTEST_S] = np.nan  # of the first row nobody knows what time it tells of

    def column(name: str) -> Values:
        if name not in samples:
            return np.full(len(samples), np.nan)
        values: Values = samples[name].to_numpy(dtype=float, na_value=np.nan)
        return values

    def rate(name: str) -> Values:
        return column(name) / gaps

    found = [
        Panel("CPU", "%", _cpu(column), is_share=True),
        Panel("Memory", "%", [Curve("memory", column("ram_used_percent"))], is_share=True),
        Panel("Disk", "MiB/s", [Curve("read", rate("disk_read_MB")), Curve("written", rate("disk_write_MB"))], False),
        Panel("Network", "MiB/s", [Curve("received", rate("net_recv_MB")), Curve("sent", rate("net_sent_MB"))], False),
        Panel("Pressure", "% of the time some task waited", _pressure(column), is_share=True),
    ]
    known = (panel._replace(curves=[curve for curve in panel.curves if _is_known(curve)]) for panel in found)
    return [panel for panel in known if panel.curves]


def rest(total: Values, *parts: Values) -> Values:
    """What of the host is none of these; a part that is missing counts nothing, a total that is makes it missing."""
    left = total - sum(np.nan_to_num(part) for part in parts)
    return np.maximum(left, 0.0)


def _cpu(column: Callable[[str], Values]) -> list[Curve]:
    total, tests, stress = map(column, ("cpu_percent", "tests_cpu_percent", "stress_cpu_percent"))
    if np.isnan(tests).all() and np.isnan(stress).all():
        return [Curve("host", total)]
    return [
        Curve("tests", tests, is_part=True),
        Curve("stress", stress, is_part=True),
        Curve("rest", rest(total, tests, stress), is_part=True),
    ]


def _pressure(column: Callable[[str], Values]) -> list[Curve]:
    return [Curve(f"for {name}", column(f"pressure_{key}_percent")) for name, key in PRESSURES.items()]


PRESSURES = {"CPU": "cpu", "memory": "memory", "disk": "io"}


def _is_known(curve: Curve) -> bool:
    return not np.isnan(curve.values).all()
