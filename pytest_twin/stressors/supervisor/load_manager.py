"""All loads of one run: requests come in, replies go out.

A load is requested by a `LoadRequest`. Replies are dicts with an ``event``:

- ``ready``: ``id, at, pids, achieved``: the load is applied
- ``end``: ``id, at, began, since, paused, reason`` (``stopped``, ``duration`` or ``done``), ``achieved``; `began` is
  when its workers were started and `since` when it was ready, both None for a load that was stopped before its start;
  `paused` is the number of seconds in which it was paused
- ``abort``: the same fields, for a load that could not be applied, died, was starved, or ended before it was ready;
  one of a schedule that is stopped before it is ready has an ``end``
- ``paused``: ``at, reason``, and ``until`` if it is over; ``resumed``: ``at, paused_s``, the seconds of all pauses
"""

from __future__ import annotations

import time

from pytest_twin.stressors.spec.request import STOPPED
from pytest_twin.stressors.supervisor.active_load import ActiveLoad, demand
from pytest_twin.stressors.supervisor.event_loop import EventLoop
from pytest_twin.stressors.supervisor.replay_cpu import ReplayCpu
from pytest_twin.stressors.supervisor.stop_conditions import DatasetTail
from pytest_twin.stressors.supervisor.worker_pool import WorkerPool
from pytest_twin.stressors.system.stalls import Stalls, read_stalls
from pytest_twin.stressors.worker import process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from pytest_twin.stressors.spec.request import LoadRequest

    Reply = Callable[[dict[str, Any]], None]

END_TIMEOUT_S = 4.0
LEAD_S = 0.25  # before the start of a replay, its workers are started


class LoadManager:
    """Applies the loads of one run, on one event loop and one thread."""

    def __init__(self, reply: Reply, *, fork: bool = process.CAN_FORK) -> None:
        self._reply = reply
        self.loop = EventLoop()
        self.loop.on_frozen = self._on_frozen
        self._pool = WorkerPool(self.loop, fork=fork)
        self._loads: dict[str, ActiveLoad] = {}
        self._limits: dict[str, tuple[float, str]] = {}
        self._samples = DatasetTail("")
        self._pause_reasons: set[str] = set()
        self.replay_cpu = ReplayCpu()

    @property
    def busy(self) -> bool:
        """Whether any load is applied or waits for its start."""
        return bool(self._loads)

    def apply(self, request: LoadRequest) -> None:
        """Apply a load, at once or at its start."""
        load = self._loads[request.id] = ActiveLoad(request, self)
        if request.start is None:
            load.start()
        else:
            # workers that are started earlier are ready in time; with a limit, what is applied until then counts
            lead_s = LEAD_S if load.is_on_time and not self._limits else 0.0
            self.loop.at(request.start - lead_s, load.start)

    def stop(self, load_id: str, reason: str = STOPPED) -> None:
        """Stop a load, or cancel one that has not started.

        The end of an unknown load is reported too: a client that was interrupted while it requested one waits for it.
        """
        if load := self._loads.get(load_id):
            load.stop(reason)
        else:
            ended: dict[str, Any] = {"began": None, "since": None, "paused": 0.0, "reason": reason, "achieved": {}}
            self._reply({"event": "end", "id": load_id, "at": time.monotonic(), **ended})

    def stop_all(self) -> None:
        """Stop all loads and wait for their end; workers that are left at the timeout end with this process."""
        self._pool.close()
        for load in list(self._loads.values()):
            load.stop(STOPPED)
        deadline = time.monotonic() + END_TIMEOUT_S
        while self.busy and time.monotonic() < deadline:
            self.loop.run_once(END_TIMEOUT_S)

    def abandon(self) -> None:
        """Kill everything at once, without replies, since the owner of the loads has ended."""
        self._pool.close()
        for load in self._loads.values():
            load.kill()
        self._loads.clear()

    def pause(self, reason: str) -> None:
        """Pause all loads and their time, until `resume` with the same reason; does nothing on Windows."""
        if not process.CAN_PAUSE:
            return
        if not self._pause_reasons:
            self.loop.pause()
            for load in self._loads.values():
                load.pause()
            self._reply({"event": "paused", "at": time.monotonic(), "reason": reason})
        self._pause_reasons.add(reason)

    def resume(self, reason: str) -> None:
        """Resume all loads, unless there is another reason to pause."""
        if reason in self._pause_reasons:
            self._pause_reasons.remove(reason)
            if not self._pause_reasons:
                self.loop.resume()
                for load in self._loads.values():
                    load.resume()
                self._reply({"event": "resumed", "at": time.monotonic(), "paused_s": self.loop.paused_s})

    def _on_frozen(self, began: float, ended: float) -> None:
        """Count a time in which the whole run was frozen as a pause, unless the workers went on meanwhile."""
        if self._pause_reasons or any(load.worked_during(ended - began) for load in self._loads.values()):
            return
        self.loop.skip(ended - began)
        self._reply({"event": "paused", "at": began, "reason": "frozen", "until": ended})
        self._reply({"event": "resumed", "at": ended, "paused_s": self.loop.paused_s})

    def is_paused(self, reason: str) -> bool:
        """Return whether loads are paused for a reason."""
        return reason in self._pause_reasons

    def stalls(self) -> list[Stalls]:
        """Return the stalls of each constraint that stops the tests' processes by signals."""
        paths = [str(each["stat"]) for load in self._loads.values() if "stat" in (each := load.achieved())]
        return [found for path in paths if (found := read_stalls(path)) is not None]

    def achieved(self, load_id: str) -> dict[str, float | str]:
        """Return the figures of a load so far; empty for an unknown load."""
        load = self._loads.get(load_id)
        return load.achieved() if load else {}

    def watch_samples(self, path: str) -> None:
        """Set the dataset of the samples that conditions are checked on."""
        self._samples = DatasetTail(path)

    def sample(self) -> dict[str, str]:
        """Return the latest sample by column."""
        return self._samples.latest()

    def limit(self, limits: Sequence[tuple[LoadRequest, str]]) -> None:
        """Set the maximum total load of each stressor, as requests with the text to name them in messages."""
        self._limits = {request.module: (demand(request), text) for request, text in limits}

    def check(self, load: ActiveLoad) -> None:
        """Check that a load, together with the applied ones, stays within the limit.

        Raises:
            ValueError: It would not, or there are too many busy workers.
        """
        self._pool.check()
        most, text = self._limits.get(load.module, (0.0, ""))
        if text:
            applied = [each.demand() for each in self._loads.values() if each.is_applied and each.module == load.module]
            total = load.demand() + sum(applied)
            if total > most * (1 + 1e-9):
                raise ValueError(f"the total load would be {total / most:.0%} of the limit {text}")

    def admit(self, count: int) -> None:
        """Reserve worker processes.

        Raises:
            ValueError: There would be too many busy workers.
        """
        self._pool.admit(count)

    def acquire_worker(self, request: LoadRequest) -> process.ForkedWorker | process.SpawnedWorker:
        """Return a worker process that waits for this load.

        Raises:
            OSError: The system has no more processes.
        """
        return self._pool.acquire(request)

    def keep_worker(self, worker: process.ForkedWorker, request: LoadRequest) -> bool:
        """Keep a worker that rests for the next load of the same kind; return False if it is to end.

        Beside loads of another kind it ends: with what it leaves, such as a control group of their own, the tests would
        get another share of the CPUs.
        """
        is_alone = all(load.module == request.module for load in self._loads.values())
        return is_alone and self._pool.keep(worker, request)

    def report(self, load: ActiveLoad, event: str, **fields: Any) -> None:
        """Reply with an event of a load."""
        self._reply({"event": event, "id": load.id, **fields})

    def on_finished(self, load: ActiveLoad) -> None:
        """Forget a load that has ended."""
        self._loads.pop(load.id, None)
        self._pool.release(load.size)
        if not self._loads:
            self.replay_cpu.clear()
