"""What a row takes: calls of Python functions and files of the kernel, which may not grow unnoticed.

The process that takes a row has slept, so its caches are cold, and each further function or file costs microseconds.
"""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from pytest_twin._system import procfs
from pytest_twin.model.clock import Clock
from pytest_twin.telemetry.probes import ProbeContext
from pytest_twin.telemetry.probes.disk import _whole_disks
from pytest_twin.telemetry.sampler_process import RowReader, interruption_check

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere psutil reads")
STEP_S = 0.1
OFTEN, SELDOM = range(2, 5), 10  # rows for which few probes are read, and one for which more are
MOST_CALLS = {OFTEN: 34, SELDOM: 90}  # with those for traffic and for a process that is busy
MOST_FILES = {OFTEN: 5, SELDOM: 14}


@pytest.fixture
def work(monkeypatch):
    """Takes rows of a process without children; returns the calls and the files of each, without those for disks."""
    calls, files = [], set()
    pread = procfs.pread

    def counting_pread(fd: int, size: int, offset: int) -> bytes:
        files.add(fd)
        return pread(fd, size, offset)

    def count_call(frame, event: str, _argument) -> None:
        if event == "call" and frame.f_code is not counting_pread.__code__:
            calls.append(frame.f_code.co_qualname)

    def of_row(reader: RowReader, at: float) -> tuple[int, int]:
        calls.clear()
        files.clear()
        before = sys.getprofile()
        sys.setprofile(count_call)
        try:
            reader.row(at)
        finally:
            sys.setprofile(before)
        disks = len(_whole_disks("/sys/block"))
        return len(calls) - disks, len(files) - disks

    monkeypatch.setattr(procfs, "pread", counting_pread)
    with subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE) as process:
        reader = RowReader(Clock(0.0, time.time()), ProbeContext(process.pid))
        yield [of_row(reader, STEP_S * number) for number in range(12)]
        process.communicate(b"\n")


@pytest.mark.parametrize("rows", [OFTEN, SELDOM], ids=["often", "seldom"])
def test_a_row_takes_no_more_calls_and_files_than_it_did(work, rows):
    taken = [work[number] for number in (rows if rows is OFTEN else [rows])]
    assert min(calls for calls, _ in taken) <= MOST_CALLS[rows]
    assert min(files for _, files in taken) <= MOST_FILES[rows]


def test_the_check_for_a_suspended_machine_opens_no_file(monkeypatch):
    check = interruption_check(1.0)
    monkeypatch.setattr("os.open", lambda path, *_: pytest.fail(f"{path} was opened"))
    now = time.monotonic()
    for second in (0.0, 2.0, 4.0):
        check(now + second, now + second)
