"""File names that are valid on every file system."""

from __future__ import annotations

import re

STRANGE = r"[^A-Za-z0-9_.-]+"
DEVICES = {"CON", "PRN", "AUX", "NUL", *(f"{port}{number}" for port in ("COM", "LPT") for number in range(10))}


def safe(text: str, instead: str = "") -> str:
    """Return a readable folder name of at most 61 characters, from the end of a text.

    Args:
        text: The text to name the folder after.
        instead: The name to use if no readable character is left.
    """
    name = re.sub(STRANGE, "-", text).strip("-.")[-60:].strip("-.") or instead
    return f"_{name}" if name.partition(".")[0].upper() in DEVICES else name
