"""Three tests that wait for three different things: `pytest examples/test_bottlenecks.py --twin-profile` ranks them.

A profile runs each test some hundred times, so these are short.
"""

from __future__ import annotations

import os

import numpy as np
import pytest

SIZE = 24 * 2**20 // 8  # 24 MiB of numbers: as much as the caches hold, as long as nobody else uses them


@pytest.fixture(scope="module")
def scattered():
    """Numbers, and an order in which to look at them that no processor foresees."""
    draw = np.random.default_rng(1)
    return np.arange(SIZE), draw.integers(0, SIZE, 500_000)


def test_that_waits_for_the_cpu():
    """Hardly any memory: only another program on the same CPU can slow it."""
    total = 0
    for number in range(150_000):
        total += number * number % 7
    assert total > 0


def test_that_waits_for_memory(scattered):
    """A load each time from far away in memory, one for each few instructions."""
    numbers, order = scattered
    assert numbers[order].sum() > 0


def test_that_waits_for_the_disk(tmp_path):
    """Each block has to be on the disk before the next is written."""
    with (tmp_path / "journal").open("wb", buffering=0) as journal:
        for _ in range(10):
            journal.write(b"x" * 262_144)
            os.fsync(journal.fileno())
