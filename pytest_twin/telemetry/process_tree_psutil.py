"""Read the processes of a tree with psutil, on systems without /proc."""

from __future__ import annotations

import sys

from pytest_twin.telemetry.process_tree_linux import NO_DETAILS, ProcessSource

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class PortableTree(ProcessSource):
    """The processes that were read for the last row."""

    def __init__(self) -> None:
        super().__init__(PortableProcess)


class PortableProcess:
    """One process, read with psutil."""

    def __init__(self, pid: int) -> None:
        import psutil

        self._psutil = psutil
        self._pid = pid
        self._process: Any = None
        self.row = 0
        self.supervises = False
        self.now: tuple[float, int, int | None] = (0.0, 0, 0)
        self.details: tuple[float | None, float | None, float | None] = NO_DETAILS

    def read(self, detailed: bool) -> bool:
        """Read it; return whether it still exists."""
        try:
            if self._process is None:
                self._process = self._psutil.Process(self._pid)
            if not self._process.is_running():
                return False
            with self._process.oneshot():
                self._read()
                if detailed:
                    self._read_details()
        except self._psutil.Error:
            return False
        return True

    def children(self) -> list[int]:
        """Return the ids of its children."""
        try:
            return [child.pid for child in self._process.children()]
        except self._psutil.Error:
            return []

    def close(self) -> None:
        """Do nothing: psutil keeps no files open."""

    def _read(self) -> None:
        process = self._process
        times = process.cpu_times()
        cpu = times.user + times.system + getattr(times, "children_user", 0) + getattr(times, "children_system", 0)
        self.supervises = any(part.replace("\\", "/").endswith("stressors/__main__.py") for part in process.cmdline())
        self.now = cpu, process.memory_info().rss, self._value("num_threads")

    def _read_details(self) -> None:
        io = self._value("io_counters")
        files = self._value("num_handles" if sys.platform == "win32" else "num_fds")
        self.details = files, getattr(io, "read_bytes", None), getattr(io, "write_bytes", None)

    def _value(self, method: str) -> Any:
        """Return the result of a method; None where the system does not have it, or refuses it."""
        try:
            return getattr(self._process, method)()
        except (AttributeError, self._psutil.AccessDenied, NotImplementedError):
            return None
