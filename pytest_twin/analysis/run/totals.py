"""Count tests and outcomes: the same figures in the terminal, in reports and in JSON."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from pytest_twin.model.attempt_row import BAD, INTERRUPTED, UNFINISHED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_twin.analysis.run.attempts import AttemptSummary

OUTCOMES = (*BAD, "passed", "xpassed", "xfailed", "skipped")


class CountedAttempt(NamedTuple):
    """The cells of an attempt in tests.csv that counting needs."""

    nodeid: str
    number: int
    worker: str
    host: str

    @classmethod
    def of(cls, row: Mapping[str, str]) -> CountedAttempt:
        """Return the cells of a row."""
        return cls(row["nodeid"], int(row["attempt"] or 1), row["worker"], row["host"])


def number_of_tests(attempts: Iterable[AttemptSummary | CountedAttempt]) -> int:
    """Return the number of tests, however often they ran: each has one first attempt.

    On another host it is a different test, and in another worker too if each pytest-xdist worker runs all tests.
    """
    first: set[tuple[str, str, str]] = set()
    others: set[tuple[str, str]] = set()
    for each in attempts:
        if each.number == 1:
            first.add((each.host, each.nodeid, each.worker))
        else:
            others.add((each.host, each.nodeid))
    return len(first) + len(others - {(host, nodeid) for host, nodeid, _ in first})


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
