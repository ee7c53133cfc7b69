"""What a row takes: code and files of the kernel, which may not grow unnoticed.

The process that takes a row has slept, so its caches are cold, and each further function or file costs microseconds.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import NamedTuple

import pytest

from pytest_twin._system import procfs
from pytest_twin.model.clock import Clock
from pytest_twin.telemetry.probes import ProbeContext
from pytest_twin.telemetry.probes.disk import _whole_disks
from pytest_twin.telemetry.sampler_process import RowReader, interruption_check

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere psutil reads")
STEP_S = 0.1
OFTEN, SELDOM = range(3, 5), range(10, 11)  # rows for which few probes are read, and one for which more are


class Work(NamedTuple):
    """What a row took, or may take, where no counter has changed since the row before."""

    opcodes: int
    calls: int
    functions: int
    builtins: int
    files: int


MOST = {OFTEN: Work(1400, 30, 26, 12, 5), SELDOM: Work(2550, 70, 42, 16, 14)}


class WorkCounter:
    """Counts what a call takes in this thread; files are counted where they are read."""

    def __init__(self, pread: Callable[[int, int, int], bytes]) -> None:
        self._pread = pread
        self._texts: dict[tuple[int, int], bytes] = {}
        self._begin()

    def _begin(self) -> None:
        self.opcodes = 0
        self.calls: list[object] = []
        self.builtins: set[object] = set()
        self.files: set[int] = set()

    def pread(self, fd: int, size: int, offset: int) -> bytes:
        """Count the file, and return what it had at first: what a row takes should not depend on the machine."""
        self.files.add(fd)
        if (fd, offset) not in self._texts:
            self._texts[fd, offset] = self._pread(fd, size, offset)
        return self._texts[fd, offset]

    def of(self, call: Callable[[], object]) -> Work:
        """Return what a call takes, without the reading of disks, of which machines have different numbers."""
        self._begin()
        before = sys.gettrace(), sys.getprofile()
        sys.setprofile(self._profile)
        sys._getframe().f_trace_opcodes = True  # Python 3.12 asks for it when the trace function is set
        sys.settrace(self._trace)
        try:
            call()
        finally:
            sys.settrace(before[0])
            sys.setprofile(before[1])
        disks = len(_whole_disks("/sys/block"))
        calls, files = len(self.calls) - disks, len(self.files) - disks
        return Work(self.opcodes, calls, len({*self.calls}), len(self.builtins), files)

    def _trace(self, frame: FrameType, event: str, _: object) -> Callable[..., object] | None:
        if frame.f_code is WorkCounter.pread.__code__ or frame.f_code is WorkCounter.of.__code__:
            return None
        frame.f_trace_opcodes = True
        self.opcodes += event == "opcode"
        return self._trace

    def _profile(self, frame: FrameType, event: str, argument: object) -> None:
        if event == "call" and frame.f_code is not WorkCounter.pread.__code__:
            self.calls.append(frame.f_code)
        elif event == "c_call":
            self.builtins.add(getattr(argument, "__qualname__", argument))


@pytest.fixture
def work(monkeypatch):
    """What each of some rows of a process without children takes."""
    counter = WorkCounter(procfs.pread)
    monkeypatch.setattr(procfs, "pread", counter.pread)
    with subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE) as process:
        reader = RowReader(Clock(0.0, time.time()), ProbeContext(process.pid))
        yield [counter.of(partial(reader.row, STEP_S * number)) for number in range(12)]
        process.communicate(b"\n")
        assert not reader.warnings


@pytest.mark.parametrize("rows", MOST, ids=["often", "seldom"])
def test_a_row_takes_no_more_code_and_files_than_it_did(work, rows):
    least = Work(*map(min, zip(*(work[number] for number in rows), strict=True)))
    assert [0 < taken <= most for taken, most in zip(least, MOST[rows], strict=True)] == [True] * len(least), least


def test_the_check_for_a_suspended_machine_opens_no_file(monkeypatch):
    check = interruption_check(1.0)
    monkeypatch.setattr("os.open", lambda path, *_: pytest.fail(f"{path} was opened"))
    now = time.monotonic()
    for second in (0.0, 2.0, 4.0):
        check(now + second, now + second)
