"""Temperature of the CPU.

From /sys/class/hwmon (kernel: Documentation/hwmon/sysfs-interface.rst), or else from /sys/class/thermal
(Documentation/driver-api/thermal/sysfs-api.rst).
"""

from __future__ import annotations

import os

from pytest_twin._system.procfs import LINUX, ProcFile, number, read_bytes
from pytest_twin.model.columns import Column
from pytest_twin.telemetry.counters import ONLY_ONCE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_twin.model.columns import Value
    from pytest_twin.telemetry.probes import ProbeContext

COLUMNS = (Column("cpu_temperature_C", "°C", "Temperature of the hottest CPU sensor; read once a second.", 1),)
EVERY_S = 0.9  # some sensors are read on their own core, or over a slow bus
CHIPS = ("coretemp", "k10temp", "zenpower", "cpu_thermal")  # Intel, AMD, AMD, ARM
ZONES = ("x86_pkg_temp", "TCPU", "cpu", "soc")  # the beginnings of their types
WHOLE_CPU = (b"Package id", b"Tdie")  # if there is such a sensor, it has the temperature of the hottest core
MILLI = 1000


def probe(context: ProbeContext) -> LinuxTemperature | PortableTemperature:  # noqa: ARG001
    """Return the probe for this machine."""
    return LinuxTemperature() if LINUX else PortableTemperature()


class LinuxTemperature:
    """Reads the sensors, with a descriptor kept open for each."""

    def __init__(self, sys_class: str = "/sys/class") -> None:
        paths = list(_chips(f"{sys_class}/hwmon")) or list(_zones(f"{sys_class}/thermal"))
        self._sensors = [ProcFile(path) for path in paths]
        self.every_s = EVERY_S if paths else ONLY_ONCE

    def read(self, at: float) -> Sequence[Value]:  # noqa: ARG002
        """Return one value for each column."""
        values = [value for sensor in self._sensors if (value := number(sensor.read())) is not None]
        return (max(values) / MILLI if values else None,)


class PortableTemperature:
    """Reads the same value with psutil, which finds no sensors on most systems."""

    every_s = EVERY_S

    def __init__(self) -> None:
        import psutil

        self._sensors = getattr(psutil, "sensors_temperatures", dict)

    def read(self, at: float) -> Sequence[Value]:  # noqa: ARG002
        """Return one value for each column."""
        found = [sensor for name, sensors in self._sensors().items() if name in CHIPS for sensor in sensors]
        return (max((sensor.current for sensor in found), default=None),)


def _chips(hwmon: str) -> Iterator[str]:
    """Yield the sensors of the CPUs: of each chip the one of the whole CPU, or all."""
    for name in _names(hwmon):
        chip = f"{hwmon}/{name}"
        if read_bytes(f"{chip}/name").strip().decode("ascii", "replace") in CHIPS:
            inputs = [each for each in _names(chip) if each.startswith("temp") and each.endswith("_input")]
            whole = [each for each in inputs if read_bytes(f"{chip}/{each[:-6]}_label").startswith(WHOLE_CPU)]
            yield from (f"{chip}/{each}" for each in whole or inputs)


def _zones(thermal: str) -> Iterator[str]:
    for name in _names(thermal):
        kind = read_bytes(f"{thermal}/{name}/type").decode("ascii", "replace")
        if name.startswith("thermal_zone") and kind.startswith(ZONES):
            yield f"{thermal}/{name}/temp"


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []
