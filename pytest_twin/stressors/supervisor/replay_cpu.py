"""The CPU seconds that the loads of a replay use besides its CPU load: these are part of what was recorded.

To move data and to fill memory takes CPU time. The CPU load of the same replay burns as much less.
"""

from __future__ import annotations

from pytest_twin.stressors.spec.request import REPLAY
from pytest_twin.stressors.worker import process, shared_counters

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pytest_twin.stressors.spec.request import LoadRequest

CPU = "pytest_twin.stressors.kinds.cpu"


class ReplayCpu:
    """Adds up the CPU seconds of the loads of each replay, and tells them its CPU load."""

    def __init__(self) -> None:
        self._counters: dict[str, int] = {}
        self._seconds: dict[str, dict[str, float]] = {}  # by replay and load

    def counter(self, request: LoadRequest) -> int | None:
        """Return the number of the shared counter that a CPU load has to read; None for any other load."""
        replay = request.options.get(REPLAY)
        if not isinstance(replay, str) or request.module != CPU or not process.CAN_FORK:
            return None
        free = set(range(shared_counters.COUNT)).difference(self._counters.values())
        if replay not in self._counters and free:
            self._counters[replay] = min(free)
            self._tell(replay)
        return self._counters.get(replay)

    def update(self, request: LoadRequest, cpu_s: float | str) -> None:
        """Take note of the CPU seconds of a load so far."""
        replay = request.options.get(REPLAY)
        if isinstance(replay, str) and request.module != CPU and not isinstance(cpu_s, str):
            self._seconds.setdefault(replay, {})[request.id] = cpu_s
            self._tell(replay)

    def clear(self) -> None:
        """Forget all replays, since no load is left."""
        self._counters.clear()
        self._seconds.clear()

    def _tell(self, replay: str) -> None:
        if (number := self._counters.get(replay)) is not None:
            shared_counters.write(number, sum(self._seconds.get(replay, {}).values()))
