"""What the body of a test spends, exactly: the kernel's counters around it, for tests that have a budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_twin.model.attempt import grown
from pytest_twin.model.budget import Spent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_twin.model.attempt import Account, Counters
    from pytest_twin.recording import Recording


class Spending:
    """Counts from when it is made; the high-water mark of memory is reset, so somebody has to have kept it."""

    def __init__(self, recording: Recording) -> None:
        """Begin to count."""
        self._recording = recording
        self._offspring = recording.offspring()
        self._account = recording.account()
        recording.meter.forget_peak()
        self._resident = recording.meter.peak()

    def until_now(self, borders: Sequence[Counters]) -> Spent:
        """What was spent.

        Args:
            borders: The readings of the counters when the body began and when it ended.
        """
        began, ended = borders[-2:]
        peak = self._recording.meter.peak()
        account, offspring = self._recording.account(), self._recording.offspring()
        return Spent(
            cpu_seconds=ended.user_s + ended.system_s - began.user_s - began.system_s,
            children_cpu_seconds=_children(self._account, account),
            duration=ended.at - began.at,
            peak_memory=peak,
            memory_growth=grown(peak, self._resident),
            read=grown(account.read, self._account.read),
            write=grown(account.written, self._account.written),
            children=None if self._offspring is None or offspring is None else offspring.since(self._offspring),
            context_switches=grown(ended.switches, began.switches),
            major_faults=grown(ended.faults, began.faults),
        )


def _children(began: Account, ended: Account) -> float | None:
    # what a child used before it ended is rounded to ticks when it is handed on, which may take some milliseconds back
    used = grown(ended.children.cpu_s, began.children.cpu_s)
    return None if used is None else max(0.0, used)
