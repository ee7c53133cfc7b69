"""All loads of one run: what is asked of them, and what is told of them.

A load is requested by a `LoadRequest`. Replies are dicts with an ``event``:

- ``ready``: ``id, at, pids``: the load is really applied
- ``end``: ``id, at, began, since, paused, reason`` (``stopped``, ``duration`` or ``done``), ``achieved``; `began` is
  when its workers were started and `since` when it was ready, both None for a load that was stopped before its time
  came; `paused` are seconds in between
- ``abort``: the same, where the load could not be applied, died, was starved, or was not ready before its end
- ``paused``: ``at, reason``, and ``until`` where it is over; ``resumed``: ``at, paused_s``, the seconds of all pauses
"""

from __future__ import annotations

import time

from pytest_twin.stressors.supervisor.active_load import ActiveLoad, demand
from pytest_twin.stressors.supervisor.event_loop import EventLoop
from pytest_twin.stressors.supervisor.stop_conditions import DatasetTail
from pytest_twin.stressors.supervisor.worker_pool import WorkerPool
from pytest_twin.stressors.worker import process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from pytest_twin.stressors.spec.request import LoadRequest

    Reply = Callable[[dict[str, Any]], None]

END_WITHIN_S = 4.0


class LoadManager:
    """All loads of one run, on one selector and one thread."""

    def __init__(self, reply: Reply, *, fork: bool = process.CAN_FORK) -> None:
        self._reply = reply
        self.loop = EventLoop()
        self.loop.kept = self._kept_from_running
        self._pool = WorkerPool(self.loop, fork=fork)
        self._loads: dict[str, ActiveLoad] = {}
        self._limits: dict[str, tuple[float, str]] = {}
        self._samples = DatasetTail("")
        self._paused_for: set[str] = set()

    @property
    def busy(self) -> bool:
        """Whether any load is applied or waits for its time."""
        return bool(self._loads)

    def apply(self, request: LoadRequest) -> None:
        """Start a load when its time has come."""
        load = self._loads[request.id] = ActiveLoad(request, self)
        if request.start is None:
            load.start()
        else:
            self.loop.at(request.start, load.start)

    def stop(self, name: str) -> None:
        """Stop a load, or forget it where it has not started.

        The end of one that there is not is told all the same: who asked for it may have been interrupted, and waits.
        """
        if load := self._loads.get(name):
            load.stop("stopped")
        else:
            ended: dict[str, Any] = {"began": None, "since": None, "paused": 0.0, "reason": "stopped", "achieved": {}}
            self._reply({"event": "end", "id": name, "at": time.monotonic(), **ended})

    def stop_all(self) -> None:
        """Stop everything and come back when nothing is left of it; what the kernel does not let go of, by our end."""
        self._pool.close()
        for load in list(self._loads.values()):
            load.stop("stopped")
        deadline = time.monotonic() + END_WITHIN_S
        while self.busy and time.monotonic() < deadline:
            self.loop.run_once(END_WITHIN_S)

    def abandon(self) -> None:
        """Have the system end everything at once; nobody is there any more to be told of it."""
        self._pool.close()
        for load in self._loads.values():
            load.kill()
        self._loads.clear()

    def pause(self, reason: str) -> None:
        """Let all loads rest, and their time stand still, until `resume` with the same reason; not on Windows."""
        if not process.CAN_PAUSE:
            return
        if not self._paused_for:
            self.loop.pause()
            for load in self._loads.values():
                load.pause()
            self._reply({"event": "paused", "at": time.monotonic(), "reason": reason})
        self._paused_for.add(reason)

    def resume(self, reason: str) -> None:
        """Let them go on, unless there is another reason not to."""
        if reason in self._paused_for:
            self._paused_for.remove(reason)
            if not self._paused_for:
                self.loop.resume()
                for load in self._loads.values():
                    load.resume()
                self._reply({"event": "resumed", "at": time.monotonic(), "paused_s": self.loop.paused_s})

    def _kept_from_running(self, began: float, ended: float) -> None:
        """The run was frozen, which is a pause too; but not if the workers went on, and only this process stood."""
        if self._paused_for or any(load.went_on(ended - began) for load in self._loads.values()):
            return
        self.loop.skip(ended - began)
        self._reply({"event": "paused", "at": began, "reason": "frozen", "until": ended})
        self._reply({"event": "resumed", "at": ended, "paused_s": self.loop.paused_s})

    def is_paused(self, reason: str) -> bool:
        """Whether they rest for that reason."""
        return reason in self._paused_for

    def achieved(self, name: str) -> dict[str, float | str]:
        """The figures of a load so far."""
        load = self._loads.get(name)
        return load.achieved() if load else {}

    def watch_samples(self, path: str) -> None:
        """Where the samples are that conditions are about."""
        self._samples = DatasetTail(path)

    def sample(self) -> dict[str, str]:
        """The latest sample."""
        return self._samples.latest()

    def limit(self, limits: Sequence[tuple[LoadRequest, str]]) -> None:
        """Set the maximum total load of each stressor, as requests with the text to name them in messages."""
        self._limits = {request.module: (demand(request), text) for request, text in limits}

    def check(self, load: ActiveLoad) -> None:
        """See that a load, together with what is applied already, stays within the limit.

        Raises:
            ValueError: It would not, or there can be no more workers.
        """
        self._pool.check()
        most, text = self._limits.get(load.module, (0.0, ""))
        if text:
            applied = [each.demand() for each in self._loads.values() if each.is_applied and each.module == load.module]
            total = load.demand() + sum(applied)
            if total > most * (1 + 1e-9):
                raise ValueError(f"with what is applied already it would be {total / most:.0%} of the limit {text}")

    def admit(self, count: int) -> None:
        """Let a load have so many workers.

        Raises:
            ValueError: Together with those that are at work they are too many.
        """
        self._pool.admit(count)

    def acquire_worker(self) -> process.ForkedWorker | process.SpawnedWorker:
        """A worker process, which waits for its load.

        Raises:
            OSError: The machine gives no more processes.
        """
        return self._pool.acquire()

    def report(self, load: ActiveLoad, event: str, **fields: Any) -> None:
        """Pass on what became of a load."""
        self._reply({"event": event, "id": load.name, **fields})

    def on_finished(self, load: ActiveLoad) -> None:
        """Forget a load that has ended."""
        self._loads.pop(load.name, None)
        self._pool.release(load.size)
