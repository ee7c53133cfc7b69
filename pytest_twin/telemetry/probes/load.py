"""Load average (getloadavg(3))."""

from __future__ import annotations

import os

from pytest_twin.model.columns import Column

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_twin.model.columns import Value
    from pytest_twin.telemetry.probes import ProbeContext

COLUMNS = (
    Column("load_1m", "", "Load average over 1 minute."),
    Column("load_5m", "", "Load average over 5 minutes."),
    Column("load_15m", "", "Load average over 15 minutes."),
)

EVERY_S = 2.4  # the kernel updates them every five seconds


def probe(context: ProbeContext) -> LoadAverage:  # noqa: ARG001
    """Return the probe for this machine."""
    return LoadAverage()


class LoadAverage:
    """Reads it from the C library, where that has it."""

    every_s = EVERY_S

    def read(self, at: float) -> Sequence[Value]:  # noqa: ARG002
        """Return one value for each column."""
        return os.getloadavg() if hasattr(os, "getloadavg") else (None, None, None)
