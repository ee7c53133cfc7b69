"""Of what time cells tell: found out from rows that a sampler took as ours does."""

from __future__ import annotations

import random

import pytest

from pytest_twin.model.counter_window import OFTEN_S, SELDOM_S, UNKNOWN, counted_since, readings


class Taken:
    """Rows as the sampler takes them: late now and then, and each counter read when its time has come."""

    def __init__(self, interval: float, least_s: float, lasting: float = 30.0, rate=lambda _: 7.0) -> None:
        chance = random.Random(f"{interval} {least_s}")
        self.times: list[float] = []
        self.amounts: list[float] = []
        self.since: list[float] = []  # of what stands in the row, the beginning of its window
        due = read = begin = 0.0
        for number in range(1, round(lasting / interval)):
            late = interval * chance.choice([0.001, 0.002, 0.01, 0.2, 0.6]) if number % 7 else 0.0
            at = number * interval + late
            amount = 0.0
            if at >= due:
                amount, begin, read, due = rate(at) * (at - read), read, at, at + least_s
            self.times.append(round(at, 4))
            self.amounts.append(round(amount, 3))
            self.since.append(begin)


INTERVALS = pytest.mark.parametrize("interval", [0.003, 0.01, 0.02, 0.04, 0.05, 0.08, 0.1, 0.3, 1.0])
WINDOWS = pytest.mark.parametrize("least_s", [OFTEN_S, SELDOM_S])


@INTERVALS
@WINDOWS
def test_a_steady_amount_is_a_steady_rate(interval, least_s):
    taken = Taken(interval, least_s)
    found = list(readings(taken.times, taken.amounts, least_s))
    rates = [taken.amounts[row] / (taken.times[row] - begin) for row, begin in found]
    assert rates[2:] == pytest.approx([7.0] * (len(found) - 2), rel=0.02)
    assert [row for row, _ in found[2:]] == [row for row, amount in enumerate(taken.amounts) if amount][
        -len(found) + 2 :
    ]


@INTERVALS
@WINDOWS
def test_what_comes_now_and_then_is_never_far_too_high_and_none_of_it_is_lost(interval, least_s):
    taken = Taken(interval, least_s, rate=lambda at: 50.0 if int(at / 1.7) % 3 == 0 else 0.0)
    found = list(readings(taken.times, taken.amounts, least_s))
    assert max(taken.amounts[row] / (taken.times[row] - begin) for row, begin in found) < 60
    assert sum(taken.amounts[row] for row, _ in found) == pytest.approx(sum(taken.amounts[1:]), rel=0.1)


@INTERVALS
@pytest.mark.parametrize("least_s", [0.0, OFTEN_S, SELDOM_S])
def test_a_cell_never_tells_of_a_time_before_it_is_said_to(interval, least_s):
    taken = Taken(interval, least_s, rate=lambda _: 0.0)
    for row, (at, since) in enumerate(zip(taken.times, taken.since, strict=True)):
        told = counted_since(taken.times, row, least_s)
        assert told <= since + 1e-4
        assert row < 2 or told == UNKNOWN or told > at - 2 * least_s - 5 * interval
    assert told != UNKNOWN


def test_where_rows_are_slower_than_readings_a_cell_tells_of_the_time_since_the_row_before():
    assert counted_since([1.0, 2.0, 3.0], 2, OFTEN_S) == 2.0
    assert counted_since([1.0, 1.99, 2.0], 2, 0.0) == 1.99


def test_a_late_row_leaves_no_doubt_about_the_ones_around_it():
    times = [0.1, 0.22, 0.3, 0.4, 0.5]  # the disks were read at 0.1, 0.22, 0.4 and 0.5
    assert [counted_since(times, row, OFTEN_S) for row in range(5)] == [UNKNOWN, UNKNOWN, UNKNOWN, 0.22, 0.4]


def test_of_what_was_before_the_rows_nothing_is_known():
    assert counted_since([1.0], 0, 0.0) == UNKNOWN
