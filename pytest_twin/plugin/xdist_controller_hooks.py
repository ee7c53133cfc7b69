"""What the controller of pytest-xdist workers does for them: it hands on clock and folder, and ends what they left."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from pytest_twin._system.clock import monotonic
from pytest_twin._system.stdlib import signal, time
from pytest_twin.model import event
from pytest_twin.model.attempt_row import CRASHED, INTERRUPTED, interned_property
from pytest_twin.model.event import Event
from pytest_twin.model.quantity import duration
from pytest_twin.plugin.marks import without_group
from pytest_twin.plugin.stash import SCHEDULE_TEXTS
from pytest_twin.remote.controller import RemoteHosts
from pytest_twin.remote.gateways import is_remote
from pytest_twin.remote.respawn import respawn_only_on_reachable_hosts
from pytest_twin.run_folder.folder import RunFolderError
from pytest_twin.run_folder.layout import ANNOTATIONS
from pytest_twin.stressors import PROCESS_NAME

if TYPE_CHECKING:
    import psutil

    from pytest_twin.plugin.session import RecordedSession


class XdistControllerHooks:
    """Hooks of pytest-xdist, registered where tests run in workers."""

    def __init__(self, run: RecordedSession) -> None:
        self._run, self._folder = run, run.folder
        self._ended: set[tuple[str, str]] = set()  # worker and test
        self._began: dict[str, float] = {}  # when tests began that run, as far as pytest-xdist tells
        self._hosts = RemoteHosts(run.folder, run.clock, duration(run.settings.host_timeout), self._records, self._note)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_setupnodes(self, config: pytest.Config) -> None:
        """Have the folder, if it is there, and remove what a run left in it that was killed."""
        if self._folder.path.is_dir():
            try:
                self._folder.claim()
                self._folder.forget_parts()
            except RunFolderError as error:
                self._run.locked_by = str(error)
        respawn_only_on_reachable_hosts(config, self._hosts.timeout_s)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Give a worker our clock and our folder; on another host neither is of any use, and it gets a channel."""
        run = self._run
        node.workerinput.update(twin_apart=run.dist_each, twin_held=run.locked_by)
        if is_remote(node.gateway.spec):
            node.workerinput.update(
                twin_channel=self._hosts.connect(node),
                twin_host_timeout=self._hosts.timeout_s,
                twin_schedule=node.config.stash.get(SCHEDULE_TEXTS, {}),
            )
        else:
            node.workerinput.update(twin_clock=[run.clock.began, run.clock.epoch], twin_folder=str(self._folder.path))

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self) -> None:
        """Record as soon as a worker has collected a test that asks for it: it has opened its part by then."""
        self._follow()

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Keep when a test began, for one that will be heard of no more."""
        self._began[nodeid] = self._run.clock.elapsed(monotonic())

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """It has ended."""
        self._began.pop(nodeid, None)

    @pytest.hookimpl(optionalhook=True, wrapper=True)
    def pytest_handlecrashitem(self, crashitem: str, report: Any) -> Generator[None, object, object]:
        """Tell of a test that a worker died in before it could tell that it had begun."""
        began = self._began.pop(crashitem, None)
        recording, node = self._run.recording, report.node
        nodeid = without_group(crashitem) if node.config.option.dist == "loadgroup" else crashitem
        if recording is not None and (node.gateway.id, nodeid) not in self._ended:
            which = recording.new_id("t"), event.TEST, nodeid, node.gateway.id, self._hosts.host_of(node)
            recording.emit(Event(recording.elapsed() if began is None else began, event.START, *which))
            self._end(CRASHED, node.gateway.id)
        return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Share what the figures of tests have in common: pytest keeps the reports to its end."""
        report.user_properties[:] = [
            interned_property(*each) if each[0].startswith("twin_") else each for each in report.user_properties
        ]

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Hear from a worker what is wrong with the tests' marks, and what is lost; end what one began that died."""
        output = getattr(node, "workeroutput", {})
        self._run.worker_error = self._run.worker_error or output.get("twin_error", "")
        self._run.dropped_by_workers += output.get("twin_dropped", 0)
        self._run.errors_by_workers += output.get("twin_errors", ())
        self._run.strict_of_workers += filter(None, [output.get("twin_strict")])
        self._hosts.disconnect(node)
        self._follow()  # a test may have asked for a fixture of ours while it ran
        if error:
            self._end(CRASHED, node.gateway.id)

    def pytest_keyboard_interrupt(self) -> None:
        """Have no load go on in a worker that does not know of it."""
        interrupt_those_with_loads()

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """End what those left that were stopped: pytest-xdist has taken all of them down."""
        self._hosts.close()
        self._end(INTERRUPTED)
        if self._run.recording is None:
            self._folder.release()

    def _follow(self) -> None:
        asked = self._hosts.wants_recording or self._folder.parts(ANNOTATIONS)
        if self._run.recording is None and not self._run.locked_by and asked:
            self._run.start()

    def _records(self) -> bool:
        return self._run.recording is not None

    def _note(self, text: str, fields: dict[str, Any]) -> None:
        if self._run.recording is not None:
            self._run.recording.note(text, fields)

    def _end(self, outcome: str, worker: str = "*") -> None:
        if self._run.recording is not None:
            from pytest_twin.recording.dead_process import abort_open_events

            self._ended.update(abort_open_events(self._run.recording, worker, outcome, self._run.keeps))


BY_THEMSELVES_S = 0.5  # in which workers end their loads that got it too, as those of a terminal do


def interrupt_those_with_loads() -> None:
    """Hand it on to the workers of this host that have loads still, which pytest-xdist lets go on for some seconds."""
    import psutil

    until = monotonic() + BY_THEMSELVES_S
    while loaded := [each for each in psutil.Process().children() if _has_loads(each)]:
        if monotonic() > until:
            for worker in loaded:
                with suppress(psutil.Error):  # it has ended
                    worker.send_signal(signal.SIGINT)
            return
        time.sleep(BY_THEMSELVES_S / 10)


def _has_loads(worker: psutil.Process) -> bool:
    """Whether a supervisor of loads is there; one without any costs nothing, but cannot be told from others."""
    import psutil

    try:
        return any(each.name() == PROCESS_NAME for each in worker.children())
    except psutil.Error:  # it has ended
        return False
