"""The supervisor: owns every stressor of a run, and takes them down when anything dies.

``python -m pytest_twin.stressors`` reads JSON lines from stdin and writes JSON lines to stdout. It ends, with
everything that it started, at the end of stdin or when its parent is gone, whichever is first. Operations
(`manager` has the rest):

- ``{"op": "apply", ...}`` a request
- ``{"op": "stop", "id": ...}``
- ``{"op": "achieved", "id": ...}``, answered by ``{"event": "achieved", "id": ..., "achieved": {...}}``, also where
  there is no such load
- ``{"op": "owner", "pid": ...}`` a process besides our parent without which everything ends
- ``{"op": "path", "path": [...]}`` where to import stressors of other packages from
- ``{"op": "samples", "path": ...}`` the dataset that conditions are about
- ``{"op": "limit", "requests": [...]}`` the most that may be applied at the same time, as requests
- ``{"op": "pause", "reason": ...}``, ``{"op": "resume", "reason": ...}``; while the parent is stopped (Ctrl-Z), loads
  are paused without being told to
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time

from pytest_twin.stressors import PROCESS_NAME
from pytest_twin.stressors.spec.request import LoadRequest
from pytest_twin.stressors.supervisor.load_manager import LoadManager
from pytest_twin.stressors.system.parent import is_alive, process_state
from pytest_twin.stressors.system.prctl import set_process_name
from pytest_twin.stressors.worker.process import reset_sigchld

TYPE_CHECKING = False  # it should be there at once, and to import `typing` takes its time
if TYPE_CHECKING:
    from typing import Any

PARENT_CHECK_S = 0.25  # the kernel does not tell that the parent is stopped, and not everywhere of its end
STOPPED = "stopped"


class Server:
    """Reads requests, writes replies, notices when nobody is there any more."""

    def __init__(self, requests: int, replies: int) -> None:
        self._replies = replies
        self._unread = b""
        self._parent = os.getppid()
        self.open = True
        self.manager = LoadManager(self._reply)
        self._loop = self.manager.loop
        self._loop.watch(requests, self._hear)
        self._looks = False
        is_watched = self._loop.watch_process(self._parent, self._abandon)
        self._look_every = None if is_watched else PARENT_CHECK_S

    def serve(self) -> None:
        """Go on until the server is closed, then leave nothing behind; so does a mistake of ours, by our end."""
        self._reply({"event": "hello", "pid": os.getpid()})
        while self.open:
            self._loop.run_once(self._look_every)
            if os.getppid() != self._parent:
                self._abandon()
        self.manager.stop_all()

    def close(self) -> None:
        """Take everything down and end."""
        self.open = False

    def _abandon(self) -> None:
        """The same, where who owned the loads is gone, and nobody hears of their end."""
        self.manager.abandon()
        self.close()

    def _look(self) -> None:
        """Pause while the parent is stopped; look as long as there are loads."""
        self._look_at_parent()
        self._looks = self.manager.busy
        if self._looks:
            self._loop.after(PARENT_CHECK_S, self._look)

    def _look_at_parent(self) -> None:
        if time.monotonic() - self._loop.kept_until < PARENT_CHECK_S:
            return  # whoever stopped this process and its parent has them go on one after the other
        if process_state(self._parent) == "T":  # by a signal, such as Ctrl-Z
            self.manager.pause(STOPPED)
        else:
            self.manager.resume(STOPPED)

    def _hear(self, data: bytes) -> None:
        if not data:
            self.close()
            return
        if self.manager.is_paused(STOPPED):
            self._look_at_parent()  # it may be here again, and about to end a load
        self._unread += data
        *lines, self._unread = self._unread.split(b"\n")
        for line in lines:
            self._handle(json.loads(line))

    def _handle(self, message: dict[str, Any]) -> None:
        op, manager = message["op"], self.manager
        if op == "apply":
            manager.apply(LoadRequest.from_json(message))
            if not self._looks:
                self._look()
        elif op == "stop":
            manager.stop(message["id"])
        elif op == "achieved":
            self._reply({"event": "achieved", "id": message["id"], "achieved": manager.achieved(message["id"])})
        elif op in {"pause", "resume"}:
            (manager.pause if op == "pause" else manager.resume)(message["reason"])
        elif op == "owner":
            self._set_owner(message["pid"])
        elif op == "samples":
            manager.watch_samples(message["path"])
        elif op == "limit":
            manager.limit([(LoadRequest.from_json(each), each["text"]) for each in message["requests"]])
        elif op == "path":
            sys.path[:] = message["path"]

    def _set_owner(self, process: int) -> None:
        if not self._loop.watch_process(process, self._abandon) and not is_alive(process):
            self._abandon()

    def _reply(self, message: dict[str, Any]) -> None:
        try:
            os.write(self._replies, json.dumps(message).encode() + b"\n")
        except OSError:  # nobody listens any more
            self.close()


def hear_signals() -> None:
    """Let no signal be blocked, as who started us may have them."""
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_SETMASK, ())


def main() -> None:
    """Serve stdin and stdout."""
    set_process_name(PROCESS_NAME)
    hear_signals()
    reset_sigchld()
    server = Server(sys.stdin.fileno(), sys.stdout.fileno())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the owner's to handle
    server.manager.loop.on_signals([signal.SIGTERM], server.close)
    server.serve()
