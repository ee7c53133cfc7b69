"""The curves of a run, grouped in panels: CPU, memory, disk, network, pressure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pytest_twin.model.counter_window import OFTEN_S, readings
from pytest_twin.model.time_axis import Values

if TYPE_CHECKING:
    import pandas as pd


class PanelCurve(NamedTuple):
    """One curve of a panel.

    Attributes:
        name: Its name in the legend, and the key of its colour.
        values: One value for each sample; NaN where missing.
        is_part: Whether it is stacked on the part before it.
    """

    name: str
    values: Values
    is_part: bool = False


class Panel(NamedTuple):
    """Curves that share an axis.

    Attributes:
        name: Its heading.
        unit: The unit of its axis.
        curves: Its curves from bottom to top.
        is_share: Whether 100 is the maximum.
    """

    name: str
    unit: str
    curves: Sequence[PanelCurve]
    is_share: bool


def panels(samples: pd.DataFrame, times: Values) -> list[Panel]:
    """Return the panels that have something to draw.

    Args:
        samples: The rows of a dataset.
        times: Their times in seconds.
    """

    def column(name: str) -> Values:
        if name not in samples:
            return np.full(len(samples), np.nan)
        values: Values = samples[name].to_numpy(dtype=float, na_value=np.nan)
        return values

    amounts = {name: column(name) for name in (*DISK.values(), *NETWORK.values())}
    per_second = rates(times, amounts)

    def moved(names: Mapping[str, str]) -> list[PanelCurve]:
        return [PanelCurve(name, per_second[column]) for name, column in names.items()]

    found = [
        Panel("CPU", "%", _cpu(column), is_share=True),
        Panel("Memory", _memory_unit(column), _memory(column), is_share=True),
        Panel("Disk", "MiB/s", moved(DISK), is_share=False),
        Panel("Network", "MiB/s", moved(NETWORK), is_share=False),
        Panel(
            "Throttling", "% of the time the tests waited", [PanelCurve("throttled", column(THROTTLED))], is_share=True
        ),
        Panel("Pressure", "% of the time some task waited", _pressure(column), is_share=True),
    ]
    known = (panel._replace(curves=[curve for curve in panel.curves if _is_known(curve)]) for panel in found)
    return [panel for panel in known if panel.curves]


def rates(times: Values, amounts: Mapping[str, Values]) -> dict[str, Values]:
    """Return amounts per second, each over the time since the last reading of its counter, which may span several rows.

    Args:
        times: The times of the rows.
        amounts: Columns of amounts that are read together, `OFTEN_S` after the last reading or later.
    """
    moved = np.nansum(list(amounts.values()), axis=0)
    found = list(readings(times.tolist(), moved.tolist(), OFTEN_S))
    rows = np.array([row for row, _ in found], dtype=np.intp)
    begins = np.array([begin for _, begin in found])
    of_reading = np.searchsorted(rows, np.arange(len(times)))  # the next one: its rate holds for the rows before it
    known = of_reading < len(rows)
    known[known] = times[known] > begins[of_reading[known]]

    def rate(values: Values) -> Values:
        spread = np.full(len(times), np.nan)
        spread[known] = (values[rows] / (times[rows] - begins))[of_reading[known]]
        return spread

    return {name: rate(values) for name, values in amounts.items()}


def rest(total: Values, *parts: Values) -> Values:
    """What of the host is none of these; a part that is missing counts nothing, a total that is makes it missing."""
    left = total - sum(np.nan_to_num(part) for part in parts)
    return np.maximum(left, 0.0)


def _cpu(column: Callable[[str], Values]) -> list[PanelCurve]:
    total, tests, stress = map(column, ("cpu_percent", "tests_cpu_percent", "stress_cpu_percent"))
    if np.isnan(tests).all() and np.isnan(stress).all():
        return [PanelCurve("host", total)]
    return [
        PanelCurve("tests", tests, is_part=True),
        PanelCurve("stress", stress, is_part=True),
        PanelCurve("rest", rest(total, tests, stress), is_part=True),
    ]


def _memory_unit(column: Callable[[str], Values]) -> str:
    total = column("ram_total_GB")
    return "%" if np.isnan(total).all() else f"% of {float(np.nanmax(total)):.1f} GiB"


def _memory(column: Callable[[str], Values]) -> list[PanelCurve]:
    """Return the used memory, split where the sizes of the tests and the stressors are known.

    Pages that processes share are counted for each of them, so the parts are cut to what is used in total.
    """
    used, total = column("ram_used_percent"), column("ram_total_GB")
    tests, stress = (100 * column(f"{name}_resident_MB") / 1024 / total for name in ("tests", "stress"))
    if np.isnan(tests).all() and np.isnan(stress).all():
        return [PanelCurve("memory", used)]
    tests = np.minimum(tests, used)
    stress = np.minimum(stress, used - np.nan_to_num(tests))
    return [
        PanelCurve("tests", tests, is_part=True),
        PanelCurve("stress", stress, is_part=True),
        PanelCurve("rest", rest(used, tests, stress), is_part=True),
    ]


def _pressure(column: Callable[[str], Values]) -> list[PanelCurve]:
    return [PanelCurve(f"for {name}", column(f"pressure_{key}_percent")) for name, key in PRESSURES.items()]


DISK = {"read": "disk_read_MB", "written": "disk_write_MB"}
NETWORK = {"received": "net_recv_MB", "sent": "net_sent_MB"}
THROTTLED = "tests_throttled_percent"
PRESSURES = {"CPU": "cpu", "memory": "memory", "disk": "io"}


def _is_known(curve: PanelCurve) -> bool:
    return not np.isnan(curve.values).all()
