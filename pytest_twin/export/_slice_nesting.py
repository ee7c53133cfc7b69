"""Assign slices of a trace to tracks on which slices are nested or disjoint: viewers drop slices that cross."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Entry = dict[str, Any]
ROUNDED_US = 100  # starts have a tenth of a millisecond, durations a microsecond


def assign_tracks(slices: Iterable[Entry]) -> list[int]:
    """Return a track for each slice, with as few tracks as possible, most slices on the first.

    Where two slices cross by less than the rounding of their times, one of them is shortened.

    Args:
        slices: Complete events in the order of their starts; with equal starts, the longest first.
    """
    tracks: list[list[Entry]] = []  # what is open on each, the innermost last
    found = []
    for each in slices:
        track = next((at for at, are_open in enumerate(tracks) if _fits(each, are_open)), len(tracks))
        if track == len(tracks):
            tracks.append([])
        tracks[track].append(each)
        found.append(track)
    return found


def _fits(each: Entry, are_open: list[Entry]) -> bool:
    """Tell whether a slice is within the innermost open one, or after all of them."""
    while are_open and _end(are_open[-1]) <= each["ts"]:
        are_open.pop()
    while are_open and (too_far := _end(each) - _end(are_open[-1])) > 0:
        if _end(are_open[-1]) - each["ts"] <= ROUNDED_US:
            _end_at(are_open.pop(), each["ts"])
        elif too_far <= ROUNDED_US:
            _end_at(each, _end(are_open[-1]))
        else:
            return False
    return True


def _end(each: Entry) -> int:
    end: int = each["ts"] + each["dur"]
    return end


def _end_at(each: Entry, at: int) -> None:
    each["dur"] = at - each["ts"]
