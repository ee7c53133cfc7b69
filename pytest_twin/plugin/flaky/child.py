"""Run one test in a fork of pytest's process, and send its result to that process.

Nothing of the fork is left: it ends without the clean-up of the interpreter, which belongs to the process that it is a
fork of.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from pytest_twin._system.clock import monotonic
from pytest_twin._system.stdlib import json, os, resource, signal, sys, tempfile
from pytest_twin.analysis.flaky.tally import FAILED, PASSED, SKIPPED
from pytest_twin.plugin.repeat import error_line
from pytest_twin.stressors.system.prctl import die_with_parent

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

assert sys.platform != "win32"  # noqa: S101 - for the type checker: there is no fork

LONGEST_REPORT = 50_000  # characters of a report that are kept
LONGEST_ERROR = 300  # and of its first line
MIB = 1 << 20


class ChildTask:
    """What a fork has to do, prepared by its parent."""

    def __init__(
        self,
        item: pytest.Item,
        parent: int,
        bypassed: Collection[object],
        descriptors: tuple[int, int, int],
        directory: Path,
    ) -> None:
        """Prepare it.

        Args:
            item: The test.
            parent: The process that the fork is one of.
            bypassed: Plugins that must not see the run.
            descriptors: The ends of the pipes that the fork waits on and writes its result to, and the file for its
                output.
            directory: The folder for its temporary files.
        """
        self._item, self._parent, self._bypassed, self._directory = item, parent, bypassed, directory
        self._gate, self._result, self._output = descriptors

    def run(self, unneeded: Sequence[int]) -> NoReturn:
        """Run the test once the gate is open, send the result, and end this process."""
        status = 1
        try:
            if die_with_parent(self._parent):
                self._prepare(unneeded)
                if os.read(self._gate, 1):
                    self._send(_run_test(self._item))
                    status = 0
        except BaseException as error:  # noqa: BLE001 - nobody else would report it
            self._send({"problem": f"{type(error).__name__}: {error}"})
        finally:
            os._exit(status)  # noqa: SLF001 - not `sys.exit`: this is pytest's own stack

    def _prepare(self, unneeded: Sequence[int]) -> None:
        """Take a process group, an output and temporary files of its own; leave those of the parent alone."""
        for descriptor in unneeded:
            os.close(descriptor)
        os.setpgid(0, 0)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        manager = self._item.config.pluginmanager
        for plugin in self._bypassed:
            manager.unregister(plugin)
        _redirect_output(manager.get_plugin("capturemanager"), self._output)
        factory: Any = getattr(self._item.config, "_tmp_path_factory", None)
        if factory is not None:  # otherwise each run would leave a folder, and look through those of all others
            factory._given_basetemp, factory._basetemp = self._directory / "tmp", None  # noqa: SLF001

    def _send(self, result: dict[str, Any]) -> None:
        data = json.dumps(result).encode() + b"\n"
        while data:
            data = data[os.write(self._result, data) :]


def _redirect_output(capture: Any, output: int) -> None:
    """Send all output of this process to a file, and what pytest captures to files of its own.

    The stream objects stay as they are: modules of the tests may have taken `sys.stdout` when they were imported, when
    it was that of pytest's capturing. Only the descriptors below, whose positions are the parent's too, are replaced.
    """
    for descriptor in (1, 2):
        os.dup2(output, descriptor)
    streams: Any = getattr(capture, "_global_capturing", None)
    for name in ("out", "err"):
        stream: Any = getattr(streams, name, None)
        if hasattr(stream, "targetfd_save"):  # of --capture=fd; the others have no descriptor of their own
            os.dup2(output, stream.targetfd_save)
            with tempfile.TemporaryFile() as own:
                os.dup2(own.fileno(), stream.tmpfile.fileno())
    faulthandler = sys.modules.get("faulthandler")
    if faulthandler is not None and faulthandler.is_enabled():
        faulthandler.enable(output)


class _Collector:
    """Plugin that keeps the reports of the test."""

    def __init__(self) -> None:
        self.reports: list[pytest.TestReport] = []
        self.limit_s: float | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep a report."""
        self.reports.append(report)

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_timeout_set_timer(self, settings: Any) -> None:
        """Keep the limit of pytest-timeout."""
        self.limit_s = settings.timeout


def _run_test(item: pytest.Item) -> dict[str, Any]:
    collector = _Collector()
    item.config.pluginmanager.register(collector)
    interrupt = ""
    cpu, waits, began = _cpu_s(), _waits(), monotonic()
    try:
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
    except BaseException as error:  # noqa: BLE001 - such as `pytest.exit`, or Ctrl-C of the test to itself
        interrupt = f"{type(error).__name__}: {error}"
    duration_s, cpu_s = monotonic() - began, _cpu_s() - cpu
    after = _waits()
    outcome, message, report = _classify(collector.reports)
    if interrupt:
        outcome, message, report = FAILED, interrupt, f"{report}\n{interrupt}".strip()
    return {
        "outcome": outcome,
        "duration_s": duration_s,
        "cpu_s": cpu_s,
        "cpu_wait_s": _difference(after[0], waits[0]),
        "disk_wait_s": _difference(after[1], waits[1]),
        "peak_bytes": _peak_bytes(),
        "limit_s": collector.limit_s,
        "error": message,
        "report": report[-LONGEST_REPORT:],
    }


def _classify(reports: Sequence[pytest.TestReport]) -> tuple[str, str, str]:
    """Return the outcome of the reports of one test, the first line of the failure, and its whole text."""
    failed = [each for each in reports if each.failed or each.outcome == "rerun"]  # type: ignore[comparison-overlap]
    if failed:
        first = failed[0]
        where = "" if first.when == "call" else f"{first.when}: "
        printed = (f"--- {name} ---\n{content}" for name, content in first.sections)
        return FAILED, where + error_line(first, LONGEST_ERROR), "\n".join((first.longreprtext, *printed)).strip()
    if not reports:
        return FAILED, "there is no report", ""
    skipped = any(each.skipped and not hasattr(each, "wasxfail") for each in reports)
    return (SKIPPED if skipped else PASSED), "", ""


def _cpu_s() -> float:
    """Return the CPU time of this process and its ended children."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


def _peak_bytes() -> int | None:
    """Return the peak resident memory of this process; that of a fork begins with its own start (Linux)."""
    for line in _read("/proc/self/status").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return None


def _waits() -> tuple[float | None, float | None]:
    """Return the seconds for which the threads of this process have waited for a CPU, and for block I/O (Linux)."""
    cpu_ns, ticks = 0, 0
    try:
        for thread in os.listdir("/proc/self/task"):
            schedstat = _read(f"/proc/self/task/{thread}/schedstat").split()
            cpu_ns += int(schedstat[1]) if schedstat else 0
            stat = _read(f"/proc/self/task/{thread}/stat").rpartition(")")[2].split()
            ticks += int(stat[39]) if stat else 0
    except (OSError, ValueError, IndexError):
        return None, None
    return cpu_ns / 1e9, ticks / os.sysconf("SC_CLK_TCK")


def _difference(after: float | None, before: float | None) -> float | None:
    return None if after is None or before is None else max(0.0, after - before)


def _read(path: str) -> str:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return ""
    try:
        return os.read(descriptor, 1 << 16).decode(errors="replace")
    except OSError:
        return ""
    finally:
        os.close(descriptor)
