"""How the clock of another host goes."""

from __future__ import annotations

from pytest_twin.remote.clock_offset import estimate_offset


def test_of_several_round_trips_the_shortest_counts():
    """The other clock is 1000 s ahead; the ways there and back take a different time in all but the second."""
    ways = iter([(0.5, 0.1), (0.01, 0.01), (0.02, 0.3)])
    at = [10.0]

    def ask() -> float:
        there, back = next(ways)
        theirs = at[0] + there + 1000
        at[0] += there + back
        return theirs

    offset = estimate_offset(ask, lambda: at[0], 3)
    assert round(offset.seconds, 6) == 1000
    assert round(offset.uncertainty_s, 6) == 0.01


def test_it_is_never_wrong_by_more_than_it_says():
    for there, back in ((0.0, 0.2), (0.2, 0.0), (0.05, 0.15)):
        at = [0.0]

        def ask(there: float = there, back: float = back, at: list[float] = at) -> float:
            at[0] += there + back
            return at[0] - back + 5

        offset = estimate_offset(ask, lambda at=at: at[0], 1)
        assert abs(offset.seconds - 5) <= offset.uncertainty_s + 1e-9
