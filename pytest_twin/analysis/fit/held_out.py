"""Hold out half of a recording, so that a fit can be judged by rows that it has not seen.

A schedule is a function of time: what a stretch of a recording was like cannot be told without it, so none can be held
out as a whole. Held out are short blocks, one of each pair of neighbours, drawn at random, since every second one could
be in step with a periodic load. A fit that follows single values fails on the others. Whether another day is alike,
only a recording of another day tells.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from pytest_twin.model.machine_recording import MachineRecording

BLOCKS_PER_EVENT = 1000  # of the mean length: changes between blocks are still found to within 1/1000 of an event
SEED = 0


class Halves(NamedTuple):
    """Both halves of a recording, each with all rows, but no values in those of the other."""

    seen: MachineRecording
    held_out: MachineRecording


def split_recording(recording: MachineRecording, events: int) -> Halves:
    """Return the halves of a recording for a fit with this number of events; always the same ones."""
    rows = len(recording.frame)
    mask = held_out_rows(rows, max(1, rows // (BLOCKS_PER_EVENT * events)))
    seen, held_out = recording.frame.copy(), recording.frame.copy()
    seen[mask], held_out[~mask] = np.nan, np.nan
    return Halves(replace(recording, frame=seen), replace(recording, frame=held_out))


def held_out_rows(count: int, block: int) -> Any:
    """Return which of `count` rows are held out: one of each two blocks, of `block` rows each."""
    pairs = -(-count // (2 * block))
    second = np.random.default_rng(SEED).integers(0, 2, pairs).astype(np.bool_)
    return np.repeat(np.column_stack([~second, second]).ravel(), block)[:count]
