"""What a constraint has changed, and the guardian: a process that undoes it when the enforcer dies.

The enforcer writes each change to the journal before it makes it. The journal is a pipe to the guardian, a fork of the
enforcer. When the enforcer ends, however it does, the kernel closes the pipe, and the guardian undoes whatever the
enforcer has not undone. The processes that are stopped at the moment, which change many times a second, are in memory
that both share.

Until all is undone, the guardian keeps the pipe of the enforcer's reports open. The supervisor takes the end of that
pipe for the end of the enforcer: no other constraint begins before it, which would take what is not undone yet for how
the processes were, and leave them like that.
"""

from __future__ import annotations

import json
import mmap
import os
import signal
import struct
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pytest_twin.stressors.constraint import process_tree
from pytest_twin.stressors.system.prctl import set_process_name
from pytest_twin.stressors.worker.process import close_all_but

assert sys.platform == "linux"  # noqa: S101 - for the type checker: this module is for Linux only

MOST_STOPPED = 16_000  # processes
END_TIMEOUT_S = 0.5
_COUNT = struct.Struct("Q")
_STOPPED = struct.Struct("QQ")  # process id and start time

Record = Mapping[str, Any]
Undo = Callable[[Record], None]


class StoppedTable:
    """The processes that are stopped at the moment, in memory that the enforcer shares with its guardian."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _COUNT.size + MOST_STOPPED * _STOPPED.size)
        self._count = 0

    def add(self, processes: Iterable[tuple[int, int]]) -> None:
        """Add processes, as process id and start time, before they are stopped.

        Raises:
            OSError: There are too many.
        """
        for pid, start in processes:
            if self._count == MOST_STOPPED:
                raise OSError(f"there are more than {MOST_STOPPED} processes to stop")
            _STOPPED.pack_into(self._memory, _COUNT.size + self._count * _STOPPED.size, pid, start)
            self._count += 1
        _COUNT.pack_into(self._memory, 0, self._count)

    def clear(self) -> None:
        """Remove all processes, after they are continued."""
        self._count = 0
        _COUNT.pack_into(self._memory, 0, 0)

    def resume_all(self) -> None:
        """Continue all processes in the table that still exist."""
        count = min(_COUNT.unpack_from(self._memory)[0], MOST_STOPPED)
        for place in range(count):
            pid, start = _STOPPED.unpack_from(self._memory, _COUNT.size + place * _STOPPED.size)
            stat = process_tree.read_stat(pid)
            if stat is not None and stat.start == start:
                try:
                    os.kill(pid, signal.SIGCONT)
                except OSError:  # it has just ended
                    pass
        self.clear()


class Journal:
    """The changes of one constraint, which are undone in reverse order, by the enforcer or by its guardian.

    Attributes:
        stopped: The processes that are stopped at the moment.
    """

    def __init__(self, undo: Mapping[str, Undo], reports: int | None = None) -> None:
        """Start the guardian.

        Args:
            undo: For each kind of change, the function that undoes it, as often as it is called.
            reports: A pipe that the guardian keeps open until everything is undone.

        Raises:
            OSError: The system has no more processes.
        """
        self.stopped = StoppedTable()
        self._undo = undo
        self._records: list[Record] = []
        self._ended = False
        reader, self._pipe = os.pipe()
        os.set_blocking(self._pipe, False)
        everything = signal.valid_signals()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, everything)  # the guardian heeds none
        try:
            self._guardian = os.fork()
            if self._guardian == 0:
                self._guard(reader, *(() if reports is None else (reports,)))
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(reader)

    def add(self, kind: str, **change: Any) -> None:
        """Record a change before it is made.

        Raises:
            OSError: The guardian has ended.
        """
        record = {"kind": kind, **change}
        line = json.dumps(record).encode() + b"\n"
        try:
            while line:
                line = line[os.write(self._pipe, line) :]
        except OSError as error:
            raise OSError("the guardian of the constraint has ended, or does not read any more") from error
        self._records.append(record)

    def check(self) -> None:
        """Check that the guardian is alive.

        Raises:
            OSError: It has ended.
        """
        if not self._ended:
            self._ended = os.waitpid(self._guardian, os.WNOHANG)[0] != 0
        if self._ended:
            raise OSError("the guardian of the constraint has ended")

    def mark(self) -> int:
        """Return the place in the journal for `roll_back`."""
        return len(self._records)

    def roll_back(self, mark: int) -> None:
        """Undo the changes since a mark."""
        _undo_all(self._records[mark:], self._undo)
        del self._records[mark:]

    def undo_kind(self, kind: str) -> None:
        """Undo the changes of one kind."""
        _undo_all([record for record in self._records if record["kind"] == kind], self._undo)
        self._records = [record for record in self._records if record["kind"] != kind]

    def undo(self) -> None:
        """Undo all changes, the last first, and end the guardian."""
        self.stopped.resume_all()
        _undo_all(self._records, self._undo)
        self._records.clear()
        try:
            os.write(self._pipe, b"null\n")
        except OSError:  # the guardian has ended
            pass
        os.close(self._pipe)
        deadline = time.monotonic() + END_TIMEOUT_S
        while not self._ended:
            self._ended = os.waitpid(self._guardian, os.WNOHANG)[0] != 0
            if not self._ended and time.monotonic() > deadline:
                os.kill(self._guardian, signal.SIGKILL)
                deadline = float("inf")
            elif not self._ended:
                time.sleep(0.001)

    def _guard(self, reader: int, *reports: int) -> None:
        """Be the guardian: read the journal to its end, and undo it unless the enforcer has done so."""
        try:
            os.setsid()
            close_all_but(reader, *reports)
            set_process_name(process_tree.GUARDIAN_NAME)
            text = b""
            while data := os.read(reader, 1 << 16):
                text += data
            lines = text.split(b"\n")[:-1]
            if lines[-1:] != [b"null"]:
                self.stopped.resume_all()
                _undo_all([json.loads(line) for line in lines], self._undo)
        finally:
            os._exit(0)


def _undo_all(records: list[Record], undo: Mapping[str, Undo]) -> None:
    for record in reversed(records):
        try:
            undo[record["kind"]](record)
        except OSError:  # the rest is to be undone too
            continue
