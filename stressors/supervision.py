"""Loads from request to end: when they start, what their workers tell, what is taken down when.

A request is a dict: ``id, kind, module, unit, profile, options, seed, start`` (on `time.monotonic`, None is now) and
``duration`` (seconds, None is until it is stopped). Replies are dicts with an ``event``:

- ``ready``: ``id, at, pids``: the load is really applied
- ``end``: ``id, at, began, since, reason`` (``stopped``, ``duration`` or ``done``), ``achieved``; `began` is when its
  workers were started and `since` when it was ready, both None for a load that was stopped before its time came
- ``abort``: the same, where the load could not be applied, died, or was not ready before its end
"""

from __future__ import annotations

import heapq
import json
import os
import selectors
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from importlib import import_module
from itertools import count
from typing import Any

from stressors import worker
from stressors.job import Job

Reply = Callable[[dict[str, Any]], None]

KILL_AFTER_S = 1.0


class Supervision:
    """All loads of one run, on one selector and one thread."""

    def __init__(self, reply: Reply, *, fork: bool = worker.CAN_FORK) -> None:
        self._reply = reply
        self._fork = fork
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._loads: dict[str, Load] = {}

    @property
    def busy(self) -> bool:
        """Whether any load is applied or waits for its time."""
        return bool(self._loads)

    def apply(self, request: dict[str, Any]) -> None:
        """Start a load when its time has come."""
        load = self._loads[request["id"]] = Load(request, self)
        start = request.get("start")
        if start is None:
            load.start()
        else:
            self.at(start, load.start)

    def stop(self, name: str) -> None:
        """Stop a load, or forget it where it has not started; one that is gone is no matter."""
        if load := self._loads.get(name):
            load.stop("stopped")

    def stop_all(self) -> None:
        """Stop everything and come back when nothing is left of it."""
        for load in list(self._loads.values()):
            load.stop("stopped")
        while self.busy:
            self.turn()

    def achieved(self, name: str) -> dict[str, float | str]:
        """The figures of a load so far."""
        load = self._loads.get(name)
        return load.achieved() if load else {}

    def watch(self, fd: int, hear: Callable[[bytes], None]) -> None:
        """Hand on whatever can be read there; at its end an empty string, once."""
        source, read = _selectable(fd)

        def heard() -> None:
            data = read()
            if not data:
                self._selector.unregister(source)
            hear(data)

        self._selector.register(source, selectors.EVENT_READ, heard)

    def watch_process(self, pid: int, ended: Callable[[], None]) -> bool:
        """Call back when that process ends; False where the kernel cannot tell (pidfd_open(2))."""
        if sys.platform != "linux":
            return False
        try:
            fd = os.pidfd_open(pid)
        except (AttributeError, OSError):  # a Python or a kernel without it
            return False

        def end() -> None:
            self._selector.unregister(fd)
            os.close(fd)
            ended()

        self._selector.register(fd, selectors.EVENT_READ, end)
        return True

    def on_signals(self, numbers: list[signal.Signals], act: Callable[[], None]) -> None:
        """Call back, from the loop, when one of these signals comes."""
        woken, waker = socket.socketpair()
        waker.setblocking(False)
        signal.set_wakeup_fd(waker.detach())  # a handler alone would not end the wait
        for number in numbers:
            signal.signal(number, lambda *_: None)

        def wake() -> None:
            woken.recv(64)
            act()

        self._selector.register(woken, selectors.EVENT_READ, wake)

    def at(self, moment: float, callback: Callable[[], None]) -> None:
        """Call back at that time."""
        heapq.heappush(self._timers, (moment, next(self._order), callback))

    def turn(self, at_most: float | None = None) -> None:
        """Wait for what comes next, and do it."""
        due = self._timers[0][0] - time.monotonic() if self._timers else None
        waits = [wait for wait in (due, at_most) if wait is not None]
        for key, _ in self._selector.select(max(0.0, min(waits)) if waits else None):
            key.data()
        while self._timers and self._timers[0][0] <= time.monotonic():
            heapq.heappop(self._timers)[2]()

    def launch(self, request: dict[str, Any], workers: int, gate: int) -> worker.Forked | worker.Spawned:
        """Start one worker of a load, which waits at the gate."""
        return worker.launch(request, workers, gate=gate, fork=self._fork)

    def told(self, load: Load, event: str, **fields: Any) -> None:
        """Pass on what became of a load."""
        self._reply({"event": event, "id": load.name, **fields})

    def gone(self, load: Load) -> None:
        """Forget a load that has ended."""
        del self._loads[load.name]


class Load:
    """One load: its workers, and what they achieved."""

    def __init__(self, request: dict[str, Any], supervision: Supervision) -> None:
        self.name: str = request["id"]
        self._request = request
        self._supervision = supervision
        self._crew: list[Crewman] = []
        self._waiting_for = 0
        self._began: float | None = None
        self._gone = False
        self._since: float | None = None
        self._ending = ""  # why, once it is ending
        self._fault = ""
        self._figures: list[dict[str, float | str]] = []

    def start(self) -> None:
        """Start the workers; the load is ready when all of them are."""
        if self._ending:
            return
        if self._request.get("start") is not None:
            self._end_after(self._request["start"])
        gate, opener = os.pipe()
        try:
            module = import_module(self._request["module"])
            workers = module.workers(Job(self._request))
            for index in range(workers):
                self._hire({**self._request, "index": index}, workers, gate)
        except (ImportError, OSError, ValueError) as error:
            self._fail(f"cannot start: {error}")
        os.close(opener)  # now they begin, all together
        os.close(gate)
        self._waiting_for = len(self._crew)
        if not self._crew:
            self._over()

    def stop(self, reason: str) -> None:
        """Ask the workers to stop, and see to it that they do."""
        if self._ending or self._gone:
            return
        self._ending = reason
        if not self._crew:
            self._over()
            return
        for crewman in self._crew:
            crewman.process.stop()
        self._supervision.at(time.monotonic() + KILL_AFTER_S, self._kill)

    def achieved(self) -> dict[str, float | str]:
        """What the workers told so far: numbers added up, words kept."""
        total: dict[str, float | str] = {}
        for figures in (*self._figures, *(crewman.achieved for crewman in self._crew)):
            for name, value in figures.items():
                before = total.get(name, 0)
                is_sum = not isinstance(value, str) and not isinstance(before, str)
                total[name] = before + value if is_sum else value  # type: ignore[operator]
        return total

    def _hire(self, request: dict[str, Any], workers: int, gate: int) -> None:
        crewman = Crewman(self._supervision.launch(request, workers, gate))
        self._crew.append(crewman)
        self._began = self._began or time.monotonic()
        self._supervision.watch(crewman.process.reports, lambda data: self._hear(crewman, data))

    def _hear(self, crewman: Crewman, data: bytes) -> None:
        if not data:
            self._lose(crewman)
            return
        crewman.unread += data
        *lines, crewman.unread = crewman.unread.split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "ready" in message:
                self._one_ready(message["ready"])
            elif "fault" in message:
                self._fail(message["fault"])
            else:
                crewman.achieved = message["achieved"]

    def _one_ready(self, at: float) -> None:
        self._waiting_for -= 1
        if self._waiting_for or self._ending:
            return
        self._since = at
        pids = [crewman.process.pid for crewman in self._crew]
        self._supervision.told(self, "ready", at=at, pids=pids)
        if self._request.get("start") is None:
            self._end_after(at)

    def _end_after(self, begin: float) -> None:
        """A load by itself lasts from when it is there; one of a schedule ends when it was planned to."""
        duration = self._request.get("duration")
        if duration is not None:
            self._supervision.at(begin + duration, lambda: self.stop("duration"))

    def _lose(self, crewman: Crewman) -> None:
        self._crew.remove(crewman)
        how = crewman.process.reap()
        self._figures.append(crewman.achieved)
        if how and not self._ending:
            self._fail(f"worker {crewman.process.pid} {how}")
        if not self._crew:
            self._over()

    def _fail(self, reason: str) -> None:
        self._fault = self._fault or reason
        if self._crew:
            self.stop("failed")

    def _kill(self) -> None:
        for crewman in self._crew:
            crewman.process.kill()

    def _over(self) -> None:
        self._gone = True
        if self._began is not None and self._since is None:
            self._fault = self._fault or "ended before it was really there"
        event = "abort" if self._fault else "end"
        reason = self._fault or self._ending or "done"
        self._supervision.told(
            self,
            event,
            at=time.monotonic(),
            since=self._since,
            began=self._began,
            reason=reason,
            achieved=self.achieved(),
        )
        self._supervision.gone(self)


class Crewman:
    """A worker of a load, as the supervisor sees it."""

    def __init__(self, process: worker.Forked | worker.Spawned) -> None:
        self.process = process
        self.unread = b""
        self.achieved: dict[str, float | str] = {}


def _selectable(fd: int) -> tuple[int, Callable[[], bytes]]:
    """A descriptor that `select` takes, and how to read it.

    On Windows only a socket is one, so a thread pumps into a pair of them.
    """
    if sys.platform != "win32":
        return fd, lambda: os.read(fd, 1 << 20)
    ours, theirs = socket.socketpair()

    def pump() -> None:
        while data := os.read(fd, 1 << 16):
            theirs.sendall(data)
        theirs.close()

    threading.Thread(target=pump, daemon=True).start()
    return ours.fileno(), lambda: ours.recv(1 << 20)
