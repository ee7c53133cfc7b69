"""Count tests and outcomes: the same figures in the terminal, in reports and in JSON."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pytest_twin.model.attempt_row import BAD, INTERRUPTED, UNFINISHED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_twin.analysis.run.attempts import AttemptSummary

OUTCOMES = (*BAD, "passed", "xpassed", "xfailed", "skipped")


class CountedTests:
    """Counts tests, however often they ran: each has one first attempt.

    On another host it is a different test, and in another worker too if each pytest-xdist worker runs all tests.
    """

    def __init__(self) -> None:
        self._workers: dict[int, str | None] = {}  # of the first attempt of each test
        self._elsewhere: set[tuple[int, str]] = set()

    def add(self, test: int, worker: str, attempt: int) -> None:
        """Count an attempt.

        Args:
            test: The hash of its host and test.
            worker: Its worker.
            attempt: Its number.
        """
        known = self._workers.get(test)
        if attempt != 1:
            self._workers.setdefault(test, None)
        elif known is None:
            self._workers[test] = worker
        elif known != worker:
            self._elsewhere.add((test, worker))

    @property
    def number(self) -> int:
        """The number of tests."""
        return len(self._workers) + len(self._elsewhere)


def number_of_tests(attempts: Iterable[AttemptSummary]) -> int:
    """Return the number of tests, however often they ran."""
    counter = CountedTests()
    for each in attempts:
        counter.add(hash((each.host, each.nodeid)), each.worker, each.number)
    return counter.number


def last_attempts(attempts: Iterable[AttemptSummary]) -> Sequence[AttemptSummary]:
    """Return the last attempt of each test, which is the one that pytest reports; all attempts are in time order."""
    return list({(each.host, each.nodeid, each.worker): each for each in attempts}.values())


def outcomes(attempts: Iterable[AttemptSummary], counted: Mapping[str, int]) -> dict[str, int]:
    """Return the number of tests by outcome, failures first.

    Args:
        attempts: All attempts, in time order.
        counted: The numbers that pytest counted; empty if the session did not finish.
    """
    last = last_attempts(attempts)
    found = Counter(each.outcome for each in last if not counted or each.outcome in {INTERRUPTED, UNFINISHED})
    found.update(counted)
    known = {name: found[name] for name in OUTCOMES if found[name]}
    return {**known, **{name: many for name, many in found.items() if name and many and name not in known}}
