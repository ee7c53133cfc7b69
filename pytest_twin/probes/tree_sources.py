"""Where a tree's processes are read from: the kernel's files, kept open for each process, or psutil."""

from __future__ import annotations

import os
import sys
import time

from pytest_twin.probes.kernel import PAGE, PROC, TICKS, KeptOpen, Seldom, read_bytes
from stressors.name import PROCESS_NAME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LIST_FILES_EVERY_S = 1.0


class Member:
    """One process of a tree.

    Attributes:
        pid: Its number.
        name: Its name in process lists.
        cpu_s: CPU seconds, its own and those of its children that ended.
        resident: Bytes resident.
        threads, files: How many it has; None where that is not told.
        read, written: Bytes from and to disks, like `cpu_s`; None where they are not told.
    """

    __slots__ = ("cpu_s", "files", "name", "pid", "read", "resident", "threads", "written")

    def __init__(
        self,
        pid: int,
        name: str,
        cpu_s: float,
        resident: int,
        threads: int | None = None,
        files: float | None = None,
        read: float | None = None,
        written: float | None = None,
    ) -> None:
        self.pid, self.name, self.cpu_s, self.resident = pid, name, cpu_s, resident
        self.threads, self.files, self.read, self.written = threads, files, read, written


class KeptProcess:
    """One process, from /proc/PID (proc_pid_stat(5), proc_pid_io(5)).

    Its files stay open: they are this process's and nobody else's, also when its number is given out again.
    """

    def __init__(self, proc: str, pid: int) -> None:
        self.pid = pid
        self._folder = f"{proc}/{pid}"
        self._stat, self._io = KeptOpen(f"{self._folder}/stat"), KeptOpen(f"{self._folder}/io")
        self._descriptors = KeptOpen(f"{self._folder}/fd")
        self._listed = Seldom(self._list_files, LIST_FILES_EVERY_S)
        self._clock = ~pid << 3 | 2
        self._children: dict[str, KeptOpen] = {}
        self._threads = 0

    def read(self) -> Member | None:
        """How it is now, None if it is gone."""
        before, _, after = self._stat.read().rpartition(b")")
        fields = after.split(None, 22)
        if len(fields) < 22 or sys.platform == "win32":
            return None
        user, system, child_user, child_system = map(int, fields[11:15])
        try:
            own = time.clock_gettime_ns(self._clock) / 1e9
        except OSError:  # a process that has ended and waits to be reaped has no clock any more
            own = (user + system) / TICKS
        self._threads = int(fields[17])
        read, written = io_of(self._io.read())
        files = self._count_files()
        if fields[0] == b"Z":  # nobody may ask it any more; it holds no files, and its parent is told of its I/O
            files, read, written = files or 0, read or 0, written or 0
        if (files is None or read is None) and not self._stat.start(1):  # it was reaped just now
            return None
        return Member(
            self.pid,
            before.partition(b"(")[2].decode("ascii", "replace"),
            own + (child_user + child_system) / TICKS,
            int(fields[21]) * PAGE,
            self._threads,
            files,
            read,
            written,
        )

    def children(self) -> list[int]:
        """The children of all its threads."""
        if self._threads != len(self._children):
            self._follow_threads()
        try:
            texts = [kept.read_or_raise() for kept in self._children.values()]
        except OSError:  # a thread has ended; if another one began, there are as many as before
            self._follow_threads()
            texts = [kept.read() for kept in self._children.values()]
        return [int(child) for text in texts if text for child in text.split()]

    def close(self) -> None:
        """Let go of its files."""
        for kept in (self._stat, self._io, self._descriptors, *self._children.values()):
            kept.close()

    def _follow_threads(self) -> None:
        try:
            threads = set(os.listdir(f"{self._folder}/task"))
        except OSError:
            threads = set()
        for gone in self._children.keys() - threads:
            self._children.pop(gone).close()
        for new in threads - self._children.keys():
            self._children[new] = KeptOpen(f"{self._folder}/task/{new}/children")

    def _count_files(self) -> float | None:
        """Descriptors: the size of the folder since Linux 6.2; before, they have to be listed."""
        if self._descriptors.fd < 0:
            return None
        try:
            size = os.fstat(self._descriptors.fd).st_size
        except OSError:  # there is no such process any more
            return None
        return size or self._listed.read(time.monotonic())

    def _list_files(self) -> int | None:
        try:
            return len(os.listdir(f"{self._folder}/fd"))
        except OSError:
            return None


class Linux:
    """All processes that the last row saw."""

    def __init__(self, proc: str = PROC) -> None:
        self._proc = proc
        self._known: dict[int, KeptProcess] = {}
        self._seen: dict[int, KeptProcess] = {}

    def refresh(self) -> None:
        """A new row begins: processes that the last one did not see are forgotten."""
        for gone in self._known.values():
            gone.close()
        self._known, self._seen = self._seen, {}

    def member(self, pid: int) -> Member | None:
        """A process as it is now, None if it is gone."""
        kept = self._known.pop(pid, None)
        if kept is not None:
            if (member := kept.read()) is not None:
                self._seen[pid] = kept
                return member
            kept.close()  # it is gone, and its number may have been given out again
        kept = KeptProcess(self._proc, pid)
        member = kept.read()
        if member is None:
            kept.close()
        else:
            self._seen[pid] = kept
        return member

    def children(self, pid: int) -> list[int]:
        """Its children."""
        kept = self._seen.get(pid)
        return kept.children() if kept else []

    def close(self) -> None:
        """Let go of all files."""
        self.refresh()
        self.refresh()


class LinuxByParent(Linux):
    """For kernels without CONFIG_PROC_CHILDREN: every process is asked for its parent."""

    def __init__(self, proc: str = PROC) -> None:
        super().__init__(proc)
        self._below: dict[int, list[int]] = {}

    def refresh(self) -> None:
        """A new row begins: look at all processes once."""
        super().refresh()
        self._below = {}
        for name in filter(str.isdecimal, os.listdir(self._proc)):
            after = read_bytes(f"{self._proc}/{name}/stat").rpartition(b")")[2].split(None, 2)
            if len(after) > 1:
                self._below.setdefault(int(after[1]), []).append(int(name))

    def children(self, pid: int) -> list[int]:
        """Its children."""
        return self._below.get(pid, [])


class Portable:
    """The same from psutil, with the Process objects kept."""

    def __init__(self) -> None:
        import psutil

        self._psutil = psutil
        self._known: dict[int, Any] = {}
        self._seen: dict[int, Any] = {}

    def refresh(self) -> None:
        """A new row begins: processes that the last one did not see are forgotten."""
        self._known, self._seen = self._seen, {}

    def member(self, pid: int) -> Member | None:
        """A process as it is now, None if it is gone."""
        try:
            process = self._known.get(pid)
            if process is None or not process.is_running():
                process = self._psutil.Process(pid)
            self._seen[pid] = process
            with process.oneshot():
                times, memory = process.cpu_times(), process.memory_info()
                supervises = any(
                    part.replace("\\", "/").endswith("stressors/__main__.py") for part in process.cmdline()
                )
                io = self._told(process, "io_counters")
                cpu = times.user + times.system
                cpu += getattr(times, "children_user", 0) + getattr(times, "children_system", 0)
                return Member(
                    pid,
                    PROCESS_NAME if supervises else "",
                    cpu,
                    memory.rss,
                    self._told(process, "num_threads"),
                    self._told(process, "num_handles" if sys.platform == "win32" else "num_fds"),
                    getattr(io, "read_bytes", None),
                    getattr(io, "write_bytes", None),
                )
        except self._psutil.Error:
            return None

    def children(self, pid: int) -> list[int]:
        """Its children."""
        try:
            return [child.pid for child in self._seen[pid].children()]
        except (KeyError, self._psutil.Error):
            return []

    def _told(self, process: Any, question: str) -> Any:
        """An answer that a system may not have, or may refuse."""
        try:
            return getattr(process, question)()
        except (AttributeError, self._psutil.AccessDenied, NotImplementedError):
            return None


def io_of(text: bytes) -> tuple[int | None, int | None]:
    """Bytes read and written, from the text of /proc/PID/io; None where it says nothing."""
    words = text.split(None, 12)
    if len(words) < 12 or words[8] != b"read_bytes:" or words[10] != b"write_bytes:":
        return None, None
    return int(words[9]), int(words[11])
