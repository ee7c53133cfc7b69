"""File names that are valid on every file system."""

from __future__ import annotations

import re

STRANGE = r"[^A-Za-z0-9_.-]+"
DEVICES = {"CON", "PRN", "AUX", "NUL", *(f"{port}{number}" for port in ("COM", "LPT") for number in range(10))}


LONGEST = 60


def safe(text: str, instead: str = "") -> str:
    """Return a readable folder name of at most 61 characters, from the end of a text.

    Args:
        text: The text to name the folder after.
        instead: The name to use if no readable character is left.
    """
    name = _end(re.sub(STRANGE, "-", text).strip("-.")).strip("-.") or instead
    return f"_{name}" if name.partition(".")[0].upper() in DEVICES else name


def _end(name: str) -> str:
    """Return the end of a long name, from where a part of it begins, or else a word; from anywhere if both are long."""
    if len(name) <= LONGEST:
        return name
    before, end = name[-LONGEST - 1], name[-LONGEST:]
    if before in "-_":
        return end
    for border in "-_":
        cut, _, rest = end.partition(border)
        if len(cut) < LONGEST // 2 and rest:
            return rest
    return end
