"""Three tests that wait for three different things: `pytest examples/test_bottlenecks.py --twin-profile` ranks them.

A profile runs each test some hundred times, so these are short.
"""

from __future__ import annotations

import os
import random
from itertools import pairwise

import pytest

# numbers of 40 bytes each: some 5 MB, which the large cache of a processor holds and the small ones do not
PLACES = 120_000


@pytest.fixture(scope="module")
def scattered():
    """Where to go from each place, so that all are visited, in an order that no processor foresees."""
    order = list(range(PLACES))
    random.Random(1).shuffle(order)
    onward = [0] * PLACES
    for here, there in pairwise([*order, order[0]]):
        onward[here] = there
    return onward


def test_that_waits_for_the_cpu():
    """Hardly any memory: only another program on the same CPU can slow it. A scheduler may let a shorter one pass."""
    total = 0
    for number in range(500_000):
        total += number * number % 7
    assert total > 0


def test_that_waits_for_memory(scattered):
    """Where it goes next stands in memory, far away; it is quick as long as nobody else fills the cache."""
    place = 0
    for _ in range(2 * PLACES):
        place = scattered[place]
    assert place == 0


def test_that_waits_for_the_disk(tmp_path):
    """Each block has to be on the disk before the next is written."""
    with (tmp_path / "journal").open("wb", buffering=0) as journal:
        for _ in range(10):
            journal.write(b"x" * 262_144)
            os.fsync(journal.fileno())
