"""Names that every file system takes."""

from __future__ import annotations

import re

STRANGE = re.compile(r"[^A-Za-z0-9_.-]+")
DEVICES = {"CON", "PRN", "AUX", "NUL", *(f"{port}{number}" for port in ("COM", "LPT") for number in range(10))}


def safe(text: str, instead: str = "") -> str:
    """A readable name for a folder, of 61 characters at most, from the end of a text.

    Args:
        text: What it tells of.
        instead: The name where nothing readable is left.
    """
    name = STRANGE.sub("-", text).strip("-.")[-60:].strip("-.") or instead
    return f"_{name}" if name.partition(".")[0].upper() in DEVICES else name
