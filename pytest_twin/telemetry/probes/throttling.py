"""How long constraints made the processes of the tests wait, from the files that the recording names."""

from __future__ import annotations

import os

from pytest_twin.model.columns import Column
from pytest_twin.telemetry.counters import ONLY_ONCE, SELDOM_S
from pytest_twin.telemetry.throttled_time import read_throttled_s

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_twin.model.columns import Value
    from pytest_twin.telemetry.probes import ProbeContext

COLUMNS = (
    Column(
        "tests_throttled_percent",
        "%",
        "Share of the time for which a constraint on CPU time made the processes of the tests wait; with several "
        "constrained pytest-xdist workers their mean. Empty without a constraint.",
        window_s=0.0,
    ),
)


def probe(context: ProbeContext) -> ThrottlingProbe:
    """Return the probe, which has no values where nothing is constrained."""
    return ThrottlingProbe(context.constraints_dir)


class ThrottlingProbe:
    """Reads the throttled time of each constraint that is held.

    As long as there has been none, it looks for the first one twice a second: its share then covers the time since the
    last look.

    A file of `constraints_dir` is named by the constrained process and a number (``4711-1``). It has the throttled
    seconds at the start of the constraint, and the path of the file in which they grow.
    """

    def __init__(self, constraints_dir: str) -> None:
        self._dir = constraints_dir
        self.every_s = 0.0 if constraints_dir else ONLY_ONCE
        self._files: dict[str, tuple[float, str]] = {}
        self._before: dict[str, float] = {}
        self._at: float | None = None
        self._look_at = float("-inf")  # when to look for the folder; the first constraint of a run makes it

    def read(self, at: float) -> Sequence[Value]:
        """Return the value of the column."""
        if at < self._look_at:
            return NO_CONSTRAINT
        before, self._at = self._at, at
        names: list[str] = []
        try:
            if os.access(self._dir, os.F_OK):  # cheaper than an exception
                names = [name for name in os.listdir(self._dir) if name[0].isdecimal()]
            else:
                self._look_at = at + SELDOM_S
        except OSError:  # it has just been removed
            pass
        if not names and not self._before:
            return NO_CONSTRAINT
        now = {name: seconds for name in names if (seconds := self._throttled_s(name)) is not None}
        earlier, self._before = self._before, now
        self._files = {name: found for name, found in self._files.items() if name in now}
        if before is None or at <= before or not now:
            return (None,)
        return (_mean_percent(((name, now[name] - earlier.get(name, 0.0)) for name in now), at - before),)

    def _throttled_s(self, name: str) -> float | None:
        if name not in self._files:
            try:
                with open(os.path.join(self._dir, name), "rb") as file:
                    began, _, path = file.read(4096).partition(b" ")
                self._files[name] = float(began), os.fsdecode(path)
            except (OSError, ValueError):  # it has just ended, or is just written
                return None
        began_s, file_name = self._files[name]
        now_s = read_throttled_s(file_name)
        return None if now_s is None else now_s - began_s


NO_CONSTRAINT: Sequence[Value] = (None,)


def _mean_percent(throttled_s: Iterable[tuple[str, float]], interval_s: float) -> float:
    """Return the mean of the processes, of each at most the whole interval."""
    by_process: dict[str, float] = {}
    for name, seconds in throttled_s:
        process = name.partition("-")[0]
        by_process[process] = by_process.get(process, 0.0) + seconds
    shares = [min(1.0, max(0.0, seconds) / interval_s) for seconds in by_process.values()]
    return 100 * sum(shares) / len(shares)
