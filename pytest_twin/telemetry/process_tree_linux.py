"""Read the processes of a tree from /proc, with the files of each process kept open."""

from __future__ import annotations

from pytest_twin._system.procfs import PAGE, PROC, TICKS, TOO_MANY, ProcFile, read_bytes
from pytest_twin._system.stdlib import os, sys, time
from pytest_twin.stressors import PROCESS_NAME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    class TreeProcess(Protocol):
        """One process, kept from row to row.

        Attributes:
            row: Number of the row for which it was read last.
            supervises: Whether it is the supervisor or a stressor.
            now: CPU seconds, with those of children that ended; resident bytes; number of threads.
            details: Number of descriptors; bytes read from and written to disks, with those of children that ended;
                as of the last detailed reading. Unknown figures are None.
        """

        row: int
        supervises: bool
        now: tuple[float, int, int | None]
        details: tuple[float | None, float | None, float | None]

        def read(self, detailed: bool) -> bool:
            """Read it, also its details; return whether it still exists."""

        def children(self) -> list[int]:
            """Return the ids of its children."""

        def close(self) -> None:
            """Close its files."""


SUPERVISOR = f"({PROCESS_NAME})".encode()
NO_DETAILS = (0, 0, 0)


class NoMoreFilesError(OSError):
    """There are more processes than this one may have files open for."""

    def __init__(self) -> None:
        super().__init__("too many open files to read all processes; raise the limit (ulimit -Hn)")


class ProcessSource:
    """The processes that were read for the last row."""

    def __init__(self, make: Callable[[int], Any]) -> None:
        """Begin without processes.

        Args:
            make: Creates the process of an id, which may not exist.
        """
        self._make = make
        self._known: dict[int, TreeProcess] = {}
        self._row = self._count = 0  # the number of the row, and of the processes that were read for it
        self._detailed = True

    def refresh(self, detailed: bool = True) -> None:
        """Begin a new row, with or without details, and forget processes that were not read for the last one."""
        if self._count != len(self._known):
            for pid, gone in [*self._known.items()]:
                if gone.row != self._row:
                    self._known.pop(pid).close()
        self._row += 1
        self._count = 0
        self._detailed = detailed

    def read(self, pid: int) -> TreeProcess | None:
        """Read a process, once for a row; None if it is gone."""
        process = self._known.get(pid)
        if process is not None:
            if process.row == self._row:  # such as a supervisor, which the walk over the tests has found before
                return process
            if process.read(self._detailed):
                process.row = self._row
                self._count += 1
                return process
            self._known.pop(pid).close()  # it is gone, and its id may be in use again
        new: TreeProcess = self._make(pid)
        if not new.read(True):
            new.close()
            return None
        self._known[pid] = new
        new.row = self._row
        self._count += 1
        return new

    def close(self) -> None:
        """Close all files."""
        self.refresh()
        self.refresh()


class ChildrenFile(ProcFile):
    """The file with the children of a thread.

    Attributes:
        text: Its text as of the last row.
    """

    __slots__ = ("text",)

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.text = b""


class LinuxProcess:
    """One process, from /proc/PID (proc_pid_stat(5), proc_pid_io(5)).

    Its files stay open, so that they are of this process even when its id is in use again.
    """

    def __init__(self, pid: int, proc: str = PROC) -> None:
        self._folder = f"{proc}/{pid}"
        self._stat, self._io = ProcFile(f"{self._folder}/stat"), ProcFile(f"{self._folder}/io")
        self._descriptors = ProcFile(f"{self._folder}/fd")
        self._clock = ~pid << 3 | 2
        self._children: dict[str, ChildrenFile] = {}  # of each thread
        self._last_thread_first: list[ChildrenFile] = []
        self._found: list[int] = []  # the children
        self._text = b""  # of the file stat, and what is in it
        self._state = b""
        self._own_s = self._ended_s = 0.0  # CPU time, in ticks, of the process and of children that ended
        self._resident = self._threads = 0
        self.row = 0
        self.supervises = False
        self.now = (0.0, 0, 0)
        self.details: tuple[float | None, float | None, float | None] = NO_DETAILS
        self._require_open(self._stat, self._io, self._descriptors)

    def read(self, detailed: bool) -> bool:
        """Read it; return whether it still exists."""
        text = self._stat.start()
        if sys.platform == "win32" or not text or (text != self._text and not self._parse(text)):
            return False
        try:
            self.now = (
                time.clock_gettime(self._clock) + self._ended_s, self._resident, self._threads
            )  # fmt: skip
        except OSError:  # a zombie has no clock any more
            self.now = self._own_s + self._ended_s, self._resident, self._threads
        return not detailed or self._read_details()

    def _parse(self, text: bytes) -> bool:
        """Parse the text of the file stat; return whether it is complete."""
        fields = text[text.rfind(b")") + 1 :].split(None, 22)
        if len(fields) < 22:
            return False
        self._text, self._state = text, fields[0]
        self.supervises = text.find(SUPERVISOR) >= 0  # not `in`, which raises an exception within before it searches
        self._own_s = (int(fields[11]) + int(fields[12])) / TICKS
        self._ended_s = (int(fields[13]) + int(fields[14])) / TICKS
        self._threads, self._resident = int(fields[17]), int(fields[21]) * PAGE
        return True

    def children(self) -> list[int]:
        """Return the children of all its threads.

        The threads are read from the last to the first: when a thread ends meanwhile, the kernel gives its children to
        the first one (`find_new_reaper` in kernel/exit.c), so they are found there.
        """
        if self._threads != len(self._children):
            self._update_threads()
        is_new = False
        try:
            for kept in self._last_thread_first:
                text = kept.read_or_raise()
                if text != kept.text:
                    kept.text = text
                    is_new = True
        except OSError:  # a thread has ended, and another one may have started
            self._update_threads()
            for kept in self._last_thread_first:
                kept.text = kept.read()
            is_new = True
        if is_new:
            found = b"".join([kept.text for kept in self._last_thread_first])
            self._found = list(dict.fromkeys(map(int, found.split())))
        return self._found

    def close(self) -> None:
        """Close its files."""
        for kept in (self._stat, self._io, self._descriptors, *self._children.values()):
            kept.close()

    def _require_open(self, *files: ProcFile) -> None:
        """Check that files could be opened; a process is not gone if the limit of open files is reached.

        Raises:
            NoMoreFilesError: The limit is reached.
        """
        if any(kept.is_refused for kept in files):
            self.close()
            raise NoMoreFilesError

    def _update_threads(self) -> None:
        try:
            threads = os.listdir(f"{self._folder}/task")
        except OSError as error:
            if error.errno in TOO_MANY:
                raise NoMoreFilesError from None
            threads = []
        for gone in self._children.keys() - threads:
            self._children.pop(gone).close()
        for thread in threads:
            if thread not in self._children:
                self._children[thread] = ChildrenFile(f"{self._folder}/task/{thread}/children")
                self._require_open(self._children[thread])
        self._last_thread_first = [*reversed(self._children.values())]

    def _read_details(self) -> bool:
        read, written = parse_io(self._io.start())
        files = self._count_files()
        if self._state == b"Z":  # a zombie has no files, its I/O is not readable, and its parent gets it
            files, read, written = files or 0, read or 0, written or 0
        self.details = files, read, written
        return (files is not None and read is not None) or self._stat.start() != b""  # otherwise it was reaped just now

    def _count_files(self) -> float | None:
        """Return the number of descriptors: the size of the folder since Linux 6.2, before that its entries."""
        if self._descriptors.fd < 0:
            return None
        try:
            return os.fstat(self._descriptors.fd).st_size or len(os.listdir(f"{self._folder}/fd"))
        except OSError:  # the process is gone, or not readable
            return None


class LinuxTree(ProcessSource):
    """For kernels with files of children (CONFIG_PROC_CHILDREN)."""

    def __init__(self, proc: str = PROC) -> None:
        super().__init__(lambda pid: LinuxProcess(pid, proc))


class LinuxTreeByParent(ProcessSource):
    """For kernels without files of children: the parents of all processes are read."""

    def __init__(self, proc: str = PROC) -> None:
        super().__init__(lambda pid: ChildOfParent(pid, proc, self._below))
        self._proc = proc
        self._below: dict[int, list[int]] = {}

    def refresh(self, detailed: bool = True) -> None:
        """Begin a new row and read the parents of all processes."""
        super().refresh(detailed)
        self._below.clear()
        for name in filter(str.isdecimal, os.listdir(self._proc)):
            after = read_bytes(f"{self._proc}/{name}/stat").rpartition(b")")[2].split(None, 2)
            if len(after) > 1:
                self._below.setdefault(int(after[1]), []).append(int(name))


class ChildOfParent(LinuxProcess):
    """One process, the children of which were found by their parents."""

    def __init__(self, pid: int, proc: str, below: dict[int, list[int]]) -> None:
        super().__init__(pid, proc)
        self._pid, self._below = pid, below

    def children(self) -> list[int]:
        """Return the ids of its children."""
        return self._below.get(self._pid, [])


def parse_io(text: bytes) -> tuple[int | None, int | None]:
    """Return bytes read and written, from the text of /proc/PID/io; None where it has none."""
    words = text.split(None, 12)
    if len(words) < 12 or words[8] != b"read_bytes:" or words[10] != b"write_bytes:":
        return None, None
    return int(words[9]), int(words[11])
