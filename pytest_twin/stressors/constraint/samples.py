"""CPU seconds in each period of a quota."""

from __future__ import annotations

from bisect import insort

DEFAULT_PERIOD_S = 0.1  # as docker and systemd have it
SAMPLE_AT_LEAST_S = 0.05

Figures = dict[str, float | str]


class PeriodSamples:
    """CPU seconds per period: each sample is of one period, or of several short ones, of which it is the mean."""

    MOST = 10_000  # samples; of more, every second is dropped

    def __init__(self, period_s: float) -> None:
        self._period_s = period_s
        self._every_s = period_s * -(-SAMPLE_AT_LEAST_S // period_s)
        self._per_period: list[float] = []  # in order
        self._largest = 0.0
        self._last: tuple[float, float] | None = None

    def add(self, now: float, usage_s: float) -> float:
        """Add the CPU seconds so far; return when the next are to be added."""
        if self._last is not None and now > self._last[0]:
            periods = max(1.0, round((now - self._last[0]) / self._period_s))
            used_s = (usage_s - self._last[1]) / periods
            insort(self._per_period, used_s)
            self._largest = max(self._largest, used_s)
            if len(self._per_period) > self.MOST:
                del self._per_period[::2]
        self._last = now, usage_s
        return now + self._every_s

    def skip(self) -> None:
        """Forget the sample that has begun."""
        self._last = None

    def figures(self) -> Figures:
        """Return the median and the largest CPU seconds per period; none before the first sample."""
        if not self._per_period:
            return {}
        return {"median_cpu_s": self._per_period[len(self._per_period) // 2], "largest_cpu_s": self._largest}
