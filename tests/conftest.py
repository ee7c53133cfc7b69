"""What several test files share."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from control_groups import Group, made_group
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from other_user import NOBODY

pytest_plugins = ["pytester"]

Eventually = Callable[..., None]


hypothesis_settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("busy")  # the machine may be


def pytest_configure() -> None:
    """Let what tests start end by signals that a shell ignores for jobs in the background, or nohup for its command."""
    for name, handler in (
        ("SIGINT", signal.default_int_handler),
        ("SIGQUIT", signal.SIG_DFL),
        ("SIGHUP", signal.SIG_DFL),
    ):
        if hasattr(signal, name) and signal.getsignal(number := getattr(signal, name)) is signal.SIG_IGN:
            signal.signal(number, handler)


@pytest.fixture(scope="session", autouse=True)
def _without_variables_of_a_ci() -> Iterator[None]:
    """Take away the variables by which pytest and pytest-twin print or record something else than at a desk."""
    with pytest.MonkeyPatch.context() as patch:
        for name in (
            *("CI", "BUILD_NUMBER", "GITHUB_SHA", "CI_COMMIT_SHA", "GITHUB_STEP_SUMMARY"),
            *("COLUMNS", "FORCE_COLOR", "NO_COLOR", "PY_COLORS"),
        ):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture
def eventually() -> Eventually:
    """Waits until a condition holds; a long limit, for a machine that is busy with something else."""

    def wait(condition: Callable[[], object], within: float = 30.0) -> None:
        deadline = time.monotonic() + within
        while not condition():
            assert time.monotonic() < deadline, f"not within {within} s"
            time.sleep(0.01)

    return wait


@pytest.fixture
def eventually_gone(eventually: Eventually) -> Callable[..., None]:
    """Waits until processes have ended; an orphan may stay on as a zombie until somebody reaps it."""

    def ended(process: psutil.Process) -> bool:
        try:
            return process.status() in {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}
        except psutil.NoSuchProcess:
            return True

    return lambda processes, within=30.0: eventually(lambda: all(map(ended, processes)), within)


@pytest.fixture
def unused_cpus() -> Callable[[], float]:
    """The share of the CPUs that nobody has used since the test began: with little, nothing can be said of speed."""
    began, idle = time.monotonic(), psutil.cpu_times().idle

    def share() -> float:
        return (psutil.cpu_times().idle - idle) / (time.monotonic() - began) / (psutil.cpu_count() or 1)

    return share


@pytest.fixture
def group(eventually: Eventually) -> Iterator[Group]:
    """A control group for CPU time and memory, where this process may make one."""
    with made_group(eventually) as made:
        yield made


@pytest.fixture
def interrupted() -> Callable[[Callable[[], object], int], bool]:
    """Calls something, interrupts it when it has come to its n-th instruction, and says whether it came that far."""
    before = sys.gettrace()

    def call(function: Callable[[], object], n: int) -> bool:
        left = iter(range(n))

        def trace(frame, event, _):
            frame.f_trace_opcodes = True
            if event == "opcode" and next(left, None) is None:
                sys.settrace(None)
                raise KeyboardInterrupt
            return trace

        gc.disable()  # hypothesis has a callback there, in which an interrupt would be lost
        sys._getframe().f_trace_opcodes = True  # Python 3.12 asks for it when the trace function is set
        sys.settrace(trace)
        try:
            function()
        except KeyboardInterrupt:
            return True
        finally:
            sys.settrace(before)
            gc.enable()
        return False

    return call


@pytest.fixture
def instructions() -> Callable[[Callable[[], object]], int]:
    """Counts the instructions of Python that a call takes: unlike its time, they are the same on a busy machine."""
    before = sys.gettrace()

    def count(function: Callable[[], object]) -> int:
        found = [0]

        def trace(frame, event, _):
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
            found[0] += event == "opcode"
            return trace

        sys._getframe().f_trace_opcodes = True  # Python 3.12 asks for it when the trace function is set
        sys.settrace(trace)
        try:
            function()
        finally:
            sys.settrace(before)
        return found[0]

    return count


@pytest.fixture
def write(tmp_path):
    """Writes a file of the made-up kernel; a second time over the first, as the kernel does."""

    def write(name: str, text: str) -> None:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")

    return write


@pytest.fixture
def kernel(tmp_path) -> str:
    """The folder that they are in."""
    return str(tmp_path)


@pytest.fixture
def nobodys_path() -> Iterator[Path]:
    """A directory that an ordinary user may write, and so may a test that runs as root."""
    path = Path(tempfile.mkdtemp())
    try:
        if sys.platform != "win32" and os.geteuid() == 0:
            os.chown(path, NOBODY, NOBODY)
        yield path
    finally:
        shutil.rmtree(path)
