"""Three tests with different bottlenecks; `pytest examples/test_bottlenecks.py --twin-profile` finds them.

The tests are short, because a profile runs each of them about a hundred times.
"""

from __future__ import annotations

import os
import random
from itertools import pairwise

import pytest

# numbers of 40 bytes each, about 5 MB: this fits in the last-level cache of a CPU, but not in the smaller ones
PLACES = 120_000


@pytest.fixture(scope="module")
def scattered():
    """Return the next place for each place: a cycle through all places in an order that a CPU cannot predict."""
    order = list(range(PLACES))
    random.Random(1).shuffle(order)
    onward = [0] * PLACES
    for here, there in pairwise([*order, order[0]]):
        onward[here] = there
    return onward


def test_that_waits_for_the_cpu():
    """It uses hardly any memory, so only other processes on the same CPU slow it down."""
    total = 0
    for number in range(500_000):
        total += number * number % 7
    assert total > 0


def test_that_waits_for_memory(scattered):
    """The next place is in a distant part of memory; this is fast only while the cache is not filled by others."""
    place = 0
    for _ in range(2 * PLACES):
        place = scattered[place]
    assert place == 0


def test_that_waits_for_the_disk(tmp_path):
    """Each block must be on the disk before the next is written."""
    with (tmp_path / "journal").open("wb", buffering=0) as journal:
        for _ in range(10):
            journal.write(b"x" * 262_144)
            os.fsync(journal.fileno())
