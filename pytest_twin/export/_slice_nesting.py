"""Slices of a trace on tracks on which each lies within another or beside it: readers drop those that cross."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Entry = dict[str, Any]
ROUNDED_US = 100  # starts have a tenth of a millisecond, durations a microsecond


def assign_tracks(slices: Iterable[Entry]) -> list[int]:
    """A track for each, as few as there can be, the first for as many as fit.

    Where two cross by no more than figures are rounded, the earlier one is cut, or the one that sticks out.

    Args:
        slices: Complete events in the order of their starts, of those that start together the longest first.
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
    """Whether it lies within the innermost of those that are still open, or behind all."""
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
