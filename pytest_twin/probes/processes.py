"""How many processes there are; in a container, how many can be seen."""

from __future__ import annotations

import os
from collections.abc import Sequence

from pytest_twin.model.columns import Column, Value
from pytest_twin.probes import Context
from pytest_twin.probes.kernel import LINUX, PROC

COLUMNS = (Column("process_count", "", "Processes on the host.", 0, legacy=16),)


def probe(context: Context) -> Linux | Portable:  # noqa: ARG001
    """The reader for this machine."""
    return Linux() if LINUX else Portable()


class Linux:
    """Counts the numbered folders of /proc."""

    def __init__(self, proc: str = PROC) -> None:
        self._proc = proc

    def read(self, at: float) -> Sequence[Value]:  # noqa: ARG002
        """One value a column."""
        return (sum(map(str.isdecimal, os.listdir(self._proc))),)


class Portable:
    """The same from psutil."""

    def __init__(self) -> None:
        import psutil

        self._pids = psutil.pids

    def read(self, at: float) -> Sequence[Value]:  # noqa: ARG002
        """One value a column."""
        return (len(self._pids()),)
