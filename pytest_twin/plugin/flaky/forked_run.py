"""One run of one test in a fork: start it, wait for its result, and end it with all that it started."""

from __future__ import annotations

import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_twin._system.clock import monotonic
from pytest_twin._system.stdlib import json, os, signal, sys, tempfile, time
from pytest_twin.analysis.flaky.tally import FAILED, RunResult

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    import pytest

    from pytest_twin.analysis.flaky.planner import PlannedRun

assert sys.platform != "win32"  # noqa: S101 - for the type checker: there is no fork

READ_SIZE = 1 << 16
LAST_OUTPUT = 4000  # bytes of the output of a test that died
REAP_WITHIN_S, LOOK_EVERY_S = 5.0, 0.001


class ForkedRun:
    """A fork that runs one test once its gate is opened.

    Attributes:
        planned: The test and the condition.
        pid: The process.
        is_alone: Whether no other test has run at the same time.
        deadline_s: Seconds after which it is killed.
        began: `time.monotonic` when the gate was opened; 0 before.
        limit_s: The limit of pytest-timeout for the test; None without one.
    """

    open_descriptors: ClassVar[set[int]] = set()  # of all runs of this process, which a new fork closes

    def __init__(self, planned: PlannedRun, item: pytest.Item, bypassed: Collection[object], directory: Path) -> None:
        """Fork.

        Args:
            planned: The test and the condition.
            item: The test.
            bypassed: Plugins that must not see the run.
            directory: A folder for its temporary files.

        Raises:
            OSError: There is no further process.
        """
        from pytest_twin.plugin.flaky.child import ChildTask

        self.planned, self.is_alone, self.began, self.deadline_s = planned, True, 0.0, 0.0
        self.limit_s: float | None = None
        self._data, self._data_bytes = b"", 0
        self._status: int | None = None
        self._lasted_s, self._is_late = 0.0, False
        self._output = tempfile.TemporaryFile()
        gate, self._gate = os.pipe()
        self.result_fd, result = os.pipe()
        task = ChildTask(item, os.getpid(), bypassed, (gate, result, self._output.fileno()), directory)
        try:
            self.pid = _fork()
        except OSError:
            for descriptor in (gate, result):
                os.close(descriptor)
            self._close()
            raise
        if self.pid == 0:
            task.run((*self.open_descriptors, self._gate, self.result_fd))
        os.close(gate)
        os.close(result)
        self.open_descriptors.update((self._gate, self.result_fd))
        with suppress(OSError):
            os.setpgid(self.pid, self.pid)  # here too: it may be killed before it does so itself

    def open_gate(self, deadline_s: float) -> None:
        """Let the test begin."""
        self.began, self.deadline_s = monotonic(), deadline_s
        with suppress(OSError):  # it has been killed already
            os.write(self._gate, b"1")

    def watch(self) -> bool:
        """Look at it, and return whether it has ended, has sent its result, or has reached its deadline."""
        self._sample_memory()
        self._lasted_s = monotonic() - self.began
        return self._has_result or self._has_exited() or self._lasted_s > self.deadline_s

    @property
    def _has_result(self) -> bool:
        return self._data.endswith(b"\n")

    def read(self) -> bool:
        """Read what it has sent, and return whether there was anything; called when its pipe is readable."""
        chunk = os.read(self.result_fd, READ_SIZE)
        self._data += chunk
        return bool(chunk)

    def kill(self) -> None:
        """Kill it with all processes of its group, and wait for its end."""
        with suppress(OSError):
            os.killpg(self.pid, signal.SIGKILL)
        if self._status is not None:
            return
        with suppress(OSError):
            os.kill(self.pid, signal.SIGKILL)
        until = monotonic() + REAP_WITHIN_S
        while not self._has_exited() and monotonic() < until:
            time.sleep(LOOK_EVERY_S)

    def stop(self) -> None:
        """End it with all that it started."""
        if not self._has_result and self._has_exited():
            self._drain()
        self._is_late = not self._has_result and not self._has_exited()
        self.kill()

    def discard(self) -> None:
        """Kill it, whatever it does, and forget it."""
        self.kill()
        self._close()

    def result(self, throttled_s: float | None, killed_by: str = "") -> RunResult:
        """Return the result, after it has been stopped.

        Args:
            throttled_s: The time for which its constraint stopped it.
            killed_by: What may have killed it, where that was not the test: the limit of memory.
        """
        found = self._parse(killed_by)
        self._close()
        return found._replace(is_alone=self.is_alone, throttled_s=throttled_s, data_bytes=self._data_bytes or None)

    def _parse(self, killed_by: str) -> RunResult:
        if self._has_result:
            found: dict[str, Any] = json.loads(self._data)
            if "problem" in found:
                return RunResult(FAILED, duration_s=self._lasted_s, error=f"the run failed: {found['problem']}")
            self.limit_s = found.pop("limit_s")
            return RunResult(**found)
        output = self._last_output()
        if self._is_late:
            text = f"did not end within {self.deadline_s:.1f} s"
        else:
            code = os.waitstatus_to_exitcode(self._status or 0)
            how = f"was killed by {_signal_name(-code)}" if code < 0 else f"ended with exit status {code}"
            text = f"the process of the test {how}{f' ({killed_by})' if code == -9 and killed_by else ''}"
        report = f"{text}\n{output}".strip()
        return RunResult(FAILED, duration_s=self._lasted_s, error=text, report=report, is_ended=not self._is_late)

    def _drain(self) -> None:
        """Read what it sent before it ended; a process that it started may keep the pipe open."""
        os.set_blocking(self.result_fd, False)
        with suppress(BlockingIOError):
            while chunk := os.read(self.result_fd, READ_SIZE):
                self._data += chunk

    def _has_exited(self) -> bool:
        if self._status is None:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except OSError:  # somebody else has waited for it
                self._status = 0
            else:
                self._status = status if pid else None
        return self._status is not None

    def _sample_memory(self) -> None:
        """Read how much private memory it has reserved."""
        try:
            descriptor = os.open(f"/proc/{self.pid}/statm", os.O_RDONLY)
        except OSError:
            return
        try:
            pages = int(os.read(descriptor, 200).split()[5])
            self._data_bytes = max(self._data_bytes, pages * os.sysconf("SC_PAGE_SIZE"))
        except (OSError, ValueError, IndexError):
            pass
        finally:
            os.close(descriptor)

    def _last_output(self) -> str:
        size = os.fstat(self._output.fileno()).st_size
        return os.pread(self._output.fileno(), LAST_OUTPUT, max(0, size - LAST_OUTPUT)).decode(errors="replace").strip()

    def _close(self) -> None:
        for descriptor in (self._gate, self.result_fd):
            with suppress(OSError):
                os.close(descriptor)
        self.open_descriptors.difference_update((self._gate, self.result_fd))
        self._output.close()


def _fork() -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that there are threads: the fork uses none of their locks
        return os.fork()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
