"""The half of a recording that a fit does not see."""

from __future__ import annotations

import numpy as np
import pytest
from made_recordings import recording, server

from pytest_twin.analysis.fit.held_out import held_out_rows, split_recording


@pytest.mark.parametrize(("count", "block"), [(100, 1), (101, 1), (1000, 7), (3, 1)])
def test_one_block_of_each_pair_is_held_out(count, block):
    mask = held_out_rows(count, block)
    assert len(mask) == count
    for start in range(0, count - 2 * block + 1, 2 * block):
        first, second = mask[start : start + block], mask[start + block : start + 2 * block]
        assert set(first) | set(second) == {True, False}
        assert len(set(first)) == len(set(second)) == 1


def test_which_block_is_not_in_step_with_anything():
    mask = held_out_rows(2000, 1)
    assert 300 < mask[::2].sum() < 700


def test_every_value_is_in_one_half_only():
    whole = server(300)
    seen, held_out = split_recording(whole, 20)
    known = [half.frame.notna().to_numpy() for half in (seen, held_out)]
    assert (known[0] != known[1]).all()
    assert seen.frame.fillna(held_out.frame).equals(whole.frame)


def test_blocks_grow_with_the_recording():
    seen, _ = split_recording(recording(cpu=np.ones(100_000)), 10)
    changes = np.flatnonzero(np.diff(seen.frame["cpu"].isna()))
    assert set(np.diff(changes) % 10) == {0}
