"""Battery, from /sys/class/power_supply (kernel: Documentation/ABI/testing/sysfs-class-power)."""

from __future__ import annotations

import os

from pytest_twin._system.procfs import LINUX, ProcFile, read_bytes
from pytest_twin.model.columns import Column
from pytest_twin.telemetry.counters import ONLY_ONCE, SELDOM_S

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_twin.model.columns import Value
    from pytest_twin.telemetry.probes import ProbeContext

COLUMNS = (
    Column("battery_percent", "%", "Charge of the battery; empty without one.", 1, legacy=14),
    Column("battery_plugged", "", "1 on mains power, 0 on battery; empty without a battery.", 0, legacy=15),
)


def probe(context: ProbeContext) -> LinuxBattery | PortableBattery:  # noqa: ARG001
    """Return the probe for this machine."""
    return LinuxBattery() if LINUX else PortableBattery()


class LinuxBattery:
    """Reads the first battery."""

    def __init__(self, supplies: str = "/sys/class/power_supply") -> None:
        names = sorted(os.listdir(supplies)) if os.path.isdir(supplies) else []
        kinds = {name: read_bytes(f"{supplies}/{name}/type").strip() for name in names}
        hosts = [
            name for name in names if read_bytes(f"{supplies}/{name}/scope").strip() != b"Device"
        ]  # not of a mouse
        batteries = [f"{supplies}/{name}" for name in hosts if kinds[name] == b"Battery"]
        self._capacity = ProcFile(f"{batteries[0]}/capacity") if batteries else None
        self._status = ProcFile(f"{batteries[0]}/status") if batteries else None
        self.every_s = SELDOM_S if batteries else ONLY_ONCE

    def read(self, at: float) -> Sequence[Value]:  # noqa: ARG002
        """Return one value for each column."""
        if self._capacity is None or self._status is None:
            return None, None
        capacity, status = self._capacity.read().strip(), self._status.read().strip()
        plugged = None if status in {b"", b"Unknown"} else float(status != b"Discharging")
        return float(capacity) if capacity else None, plugged


class PortableBattery:
    """Reads the same values with psutil, which finds no battery on some systems."""

    def __init__(self) -> None:
        import psutil

        self._battery = getattr(psutil, "sensors_battery", lambda: None)

    def read(self, at: float) -> Sequence[Value]:  # noqa: ARG002
        """Return one value for each column."""
        battery = self._battery()
        if battery is None:
            return None, None
        return battery.percent, None if battery.power_plugged is None else float(battery.power_plugged)
