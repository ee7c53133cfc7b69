"""The supervisor: owns every stressor of a run, and ends them when the tests' process ends, however it does.

``python -m pytest_twin.stressors`` reads JSON lines from stdin and writes JSON lines to stdout. It ends, with
everything that it started, at the end of stdin or when its parent has ended, whichever is first. The replies are
documented in `load_manager`; these are the operations:

- ``{"op": "apply", ...}``: apply a load; the other keys are those of `LoadRequest.to_json`
- ``{"op": "stop", "id": ...}``: stop a load; ``"reason": "duration"`` where its time is over
- ``{"op": "achieved", "id": ...}``: reply with ``{"event": "achieved", "id": ..., "achieved": {...}}``, also for an
  unknown load
- ``{"op": "owner", "pid": ...}``: end when that process ends too, and not only the parent
- ``{"op": "path", "path": [...]}``: set the import path, for stressors of other packages
- ``{"op": "samples", "path": ...}``: set the dataset that stop conditions are checked on
- ``{"op": "limit", "requests": [...]}``: set the maximum total load, as requests with a ``text`` for messages
- ``{"op": "pause", "reason": ...}``, ``{"op": "resume", "reason": ...}``: pause and resume all loads; while the parent
  is stopped (Ctrl-Z), they are paused without a request
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time

from pytest_twin.stressors import PROCESS_NAME
from pytest_twin.stressors.spec.request import STOPPED, LoadRequest
from pytest_twin.stressors.supervisor.load_manager import LoadManager
from pytest_twin.stressors.system.parent import is_alive, process_state
from pytest_twin.stressors.system.prctl import set_process_name
from pytest_twin.stressors.worker.process import reset_sigchld

TYPE_CHECKING = False  # without typing, so that the supervisor starts fast
if TYPE_CHECKING:
    from typing import Any

LONGEST_WRITE = 1 << 16  # bytes
PARENT_CHECK_S = 0.25  # the kernel has no event for a stopped parent, and not everywhere one for its end


class Server:
    """Reads operations, writes replies, and watches the parent.

    Attributes:
        is_open: Whether it goes on serving.
        manager: The loads.
    """

    def __init__(self, requests: int, replies: int) -> None:
        self._replies = replies
        self._unread = b""
        self._parent = os.getppid()
        self.is_open = True
        self.manager = LoadManager(self._reply)
        self._loop = self.manager.loop
        self._loop.watch_requests(requests, self._on_input)
        self._checks_parent = False
        is_watched = self._loop.watch_process(self._parent, self._on_owner_exit)
        self._longest_wait_s = None if is_watched else PARENT_CHECK_S

    def serve(self) -> None:
        """Serve until the server is closed, then stop all loads."""
        self._reply({"event": "hello", "pid": os.getpid()})
        while self.is_open:
            self._loop.run_once(self._longest_wait_s)
            if os.getppid() != self._parent:
                self._on_owner_exit()
        self.manager.stop_all()

    def close(self) -> None:
        """Stop serving."""
        self.is_open = False

    def _on_owner_exit(self) -> None:
        """Kill all loads and stop serving, since nobody receives replies any more."""
        self.manager.abandon()
        self.close()

    def _check_parent_later(self) -> None:
        """Check the parent now, and again as long as there are loads."""
        self._check_parent()
        self._checks_parent = self.manager.busy
        if self._checks_parent:
            self._loop.after(PARENT_CHECK_S, self._check_parent_later)

    def _check_parent(self) -> None:
        """Pause all loads while the parent is stopped."""
        if time.monotonic() - self._loop.frozen_until < PARENT_CHECK_S:
            return  # both were stopped, and the parent may be resumed a moment later than this process
        before = self.manager.stalls()
        is_stopped = process_state(self._parent) == "T"  # by a signal, such as Ctrl-Z
        if any(each.is_stopped for each in before) or before != self.manager.stalls():
            return  # a constraint stops it, or has done so meanwhile
        if is_stopped:
            self.manager.pause(STOPPED)
        else:
            self.manager.resume(STOPPED)

    def _on_input(self, data: bytes) -> None:
        if not data:
            self.close()
            return
        if self.manager.is_paused(STOPPED):
            self._check_parent()  # it may have been resumed, and be about to end a load
        self._unread += data
        *lines, self._unread = self._unread.split(b"\n")
        for line in lines:
            self._handle(json.loads(line))

    def _handle(self, message: dict[str, Any]) -> None:
        op, manager = message["op"], self.manager
        if op == "apply":
            manager.apply(LoadRequest.from_json(message))
            if not self._checks_parent:
                self._check_parent_later()
        elif op == "stop":
            manager.stop(message["id"], message.get("reason", STOPPED))
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
        if not self._loop.watch_process(process, self._on_owner_exit) and not is_alive(process):
            self._on_owner_exit()

    def _reply(self, message: dict[str, Any]) -> None:
        line = json.dumps(message).encode() + b"\n"
        try:
            while line and (space := self._wait_for_space()):
                line = line[os.write(self._replies, line[:space]) :]
        except OSError:  # the parent has closed the pipe
            self.close()

    def _wait_for_space(self) -> int:
        """Wait until a write does not block, and return of how many bytes; 0 if the parent has ended meanwhile."""
        if sys.platform == "win32":  # which selects sockets only
            return LONGEST_WRITE
        wait_s = 0.0
        while not select.select([], [self._replies], [], wait_s)[1]:
            if os.getppid() != self._parent:
                return 0
            wait_s = PARENT_CHECK_S
        return select.PIPE_BUF


def unblock_signals() -> None:
    """Unblock all signals, since the parent may have blocked some."""
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_SETMASK, ())


def main() -> None:
    """Run the supervisor on stdin and stdout."""
    set_process_name(PROCESS_NAME)
    unblock_signals()
    reset_sigchld()
    server = Server(sys.stdin.fileno(), sys.stdout.fileno())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is handled by the parent
    server.manager.loop.on_signals([signal.SIGTERM], server.close)
    server.serve()
