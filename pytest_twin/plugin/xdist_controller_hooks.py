"""Hooks of the controller of pytest-xdist: hand clock and folder to its workers, and complete the rows of dead ones."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from pytest_twin._system.clock import monotonic
from pytest_twin._system.stdlib import signal, time
from pytest_twin.model import event
from pytest_twin.model.attempt_row import CRASHED, INTERRUPTED, circumstances
from pytest_twin.model.event import Event
from pytest_twin.model.quantity import parse_duration
from pytest_twin.plugin.hook_object import HookObject
from pytest_twin.plugin.marks import strip_group
from pytest_twin.plugin.report_properties import unpack
from pytest_twin.plugin.stash import SCHEDULE_TEXTS
from pytest_twin.remote.controller import RemoteHosts
from pytest_twin.remote.gateways import is_remote
from pytest_twin.remote.respawn import respawn_only_on_reachable_hosts
from pytest_twin.run_folder.folder import RunFolderError
from pytest_twin.run_folder.layout import ANNOTATIONS, TESTS
from pytest_twin.stressors import PROCESS_NAME

if TYPE_CHECKING:
    import psutil

    from pytest_twin.plugin.session import RecordedSession


class XdistControllerHooks(HookObject):
    """Hooks of the controller, registered where tests run in workers of pytest-xdist."""

    def __init__(self, run: RecordedSession) -> None:
        self._run, self._folder = run, run.folder
        self._aborted: set[tuple[str, str]] = set()  # worker and test
        self._started_at: dict[str, float] = {}  # when each running test began, by the reports of pytest-xdist
        self._collecting: set[str] = set()  # workers that have not told their tests
        self._tests: Sequence[str] | None = None  # of the workers; None until the first has told them
        self._differ = self._has_begun = False
        self._hosts = RemoteHosts(
            run.folder, run.clock, parse_duration(run.settings.host_timeout), self._is_recording, self._note
        )

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_setupnodes(self, config: pytest.Config) -> None:
        """Lock the run folder, if it exists, and remove the part files of a run that was killed."""
        if self._folder.path.is_dir():
            try:
                self._folder.claim()
                self._folder.remove_parts()
            except RunFolderError as error:
                self._run.locked_by = str(error)
        self._run.measure_idle()
        respawn_only_on_reachable_hosts(config, self._hosts.timeout_s)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Give a worker the clock and the folder of the run, or, on another host, a channel to this process."""
        run = self._run
        self._collecting.add(node.gateway.id)
        node.workerinput.update(twin_dist_each=run.dist_each, twin_locked_by=run.locked_by)
        if is_remote(node.gateway.spec):
            node.workerinput.update(
                twin_channel=self._hosts.connect(node),
                twin_host_timeout=self._hosts.timeout_s,
                twin_schedule=node.config.stash.get(SCHEDULE_TEXTS, {}),
            )
        else:
            node.workerinput.update(
                twin_clock=[run.clock.began, run.clock.epoch],
                twin_folder=str(self._folder.path),
                twin_idle_cpu=run.idle_cpu,
            )

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: Sequence[str]) -> None:
        """Record when the last worker has told its tests: none has begun, and the part files of workers are open.

        Where two workers have different tests, pytest-xdist runs none, and the files of the last run stay.
        """
        self._differ |= self._tests not in (None, ids) and not self._run.dist_each
        self._tests = ids or self._tests or ()
        self._collecting.discard(node.gateway.id)
        if not self._collecting and not self._differ:
            self._begin()

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Keep the time at which a test began, in case its worker dies."""
        self._started_at[nodeid] = self._run.clock.elapsed(monotonic())
        if not self._has_begun:  # its scheduler allows different tests, or did not wait for all workers
            self._begin()

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Forget a test that has ended."""
        self._started_at.pop(nodeid, None)

    @pytest.hookimpl(optionalhook=True, wrapper=True)
    def pytest_handlecrashitem(self, crashitem: str, report: Any) -> Generator[None, object, object]:
        """Write the start of a test of which the worker died too early to write it, and abort the test."""
        began = self._started_at.pop(crashitem, None)
        recording, node = self._run.recording, report.node
        nodeid = strip_group(crashitem) if node.config.option.dist == "loadgroup" else crashitem
        if recording is not None and (node.gateway.id, nodeid) not in self._aborted:
            which = recording.new_id("t"), event.TEST, nodeid, node.gateway.id, self._hosts.host_of(node)
            recording.emit(Event(recording.elapsed() if began is None else began, event.START, *which))
            self._abort(CRASHED, node.gateway.id)
        with self._run.guard:
            if text := self._constraint_of_crashed(node.gateway.id, nodeid):
                killed = "; a process that takes more memory is killed" if "mem=" in text else ""
                report.sections.append(("pytest-twin", f"it ran under {circumstances('', text)}{killed}"))
        return (yield)

    def _constraint_of_crashed(self, worker: str, nodeid: str) -> str:
        """Return the constraints of a test of which the worker died; empty if there were none."""
        rows = self._run.recording.folder.rows(TESTS) if self._run.recording is not None else []
        its = (row for row in reversed(rows) if (row["worker"], row["nodeid"]) == (worker, nodeid))
        return next((row.get("constraint", "") for row in its), "")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Restore the figures of a test in its report, before other plugins read them."""
        if report.user_properties:
            with self._run.guard:
                unpack(report.user_properties)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Take over the errors and the lost rows that a worker reports; abort the open events of one that died."""
        output = getattr(node, "workeroutput", {})
        self._run.worker_error = self._run.worker_error or output.get("twin_error", "")
        self._run.dropped_by_workers += output.get("twin_dropped", 0)
        self._run.errors_of_workers += output.get("twin_errors", ())
        self._run.notes_of_workers += output.get("twin_notes", ())
        self._run.strict_errors_of_workers += filter(None, [output.get("twin_strict")])
        self._hosts.disconnect(node)
        self._collecting.discard(node.gateway.id)
        if self._has_begun:
            self._start_if_wanted()  # a test may have requested a fixture of pytest-twin while it ran
        if error:
            self._abort(CRASHED, node.gateway.id)

    def pytest_keyboard_interrupt(self) -> None:
        """Let no load go on in a worker that the interrupt has not reached."""
        interrupt_loaded_workers()

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Abort the open events of workers that were stopped: by now pytest-xdist has ended all of them."""
        self._hosts.close()
        self._abort(INTERRUPTED)
        if self._run.recording is None:
            if not self._run.locked_by:
                self._remove_parts_without_tests()
            self._folder.release()

    def _remove_parts_without_tests(self) -> None:
        """Remove what workers have left that were stopped before the recording began, as by Ctrl-C."""
        with suppress(OSError):  # there is no folder, or another run has it by now
            self._folder.claim()
            self._folder.remove_parts_without_tests()

    def _begin(self) -> None:
        """Record if there are tests, or one that uses the plugin."""
        self._has_begun = True
        run = self._run
        self._start_if_wanted(is_asked_for=bool(self._tests) and (run.settings.enabled or run.schedule is not None))
        run.expect(len(self._tests or ()))

    def _start_if_wanted(self, *, is_asked_for: bool = False) -> None:
        is_found = bool(self._hosts.wants_recording or self._folder.parts(ANNOTATIONS))
        if self._run.recording is None and (is_asked_for or (is_found and not self._run.locked_by)):
            self._run.start()
            self._run.start_supervisor(())

    def _is_recording(self) -> bool:
        return self._run.recording is not None

    def _note(self, text: str, fields: dict[str, Any]) -> None:
        if self._run.recording is not None:
            self._run.recording.note(text, fields)

    def _abort(self, outcome: str, worker: str = "*") -> None:
        if self._run.recording is not None:
            from pytest_twin.recording.dead_process import abort_open_events

            self._aborted.update(abort_open_events(self._run.recording, worker, outcome, self._run.keeps_folder))


GRACE_S = 0.5  # for workers that get the interrupt too, as those in a terminal do, to end their loads


def interrupt_loaded_workers() -> None:
    """Interrupt the workers of this host that still have loads; pytest-xdist would let them go on for some seconds."""
    import psutil

    until = monotonic() + GRACE_S
    while loaded := [each for each in psutil.Process().children() if _has_loads(each)]:
        if monotonic() > until:
            for worker in loaded:
                with suppress(psutil.Error):  # it has ended
                    worker.send_signal(signal.SIGINT)
            return
        time.sleep(GRACE_S / 10)


def _has_loads(worker: psutil.Process) -> bool:
    """Return whether a worker has a supervisor, which may or may not have loads."""
    import psutil

    try:
        return any(each.name() == PROCESS_NAME for each in worker.children())
    except psutil.Error:  # it has ended
        return False
