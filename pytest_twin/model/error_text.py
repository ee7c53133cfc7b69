"""What a user has written, as it is shown in an error: on one line, and never longer than one can read."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

LONGEST = 100


def shown(raw: object) -> str:
    """A value as Python writes it, cut where it is long."""
    if isinstance(raw, str) and len(raw) > LONGEST:
        return f"{raw[:LONGEST]!r}..."
    try:
        text = repr(raw)
    except (ValueError, RecursionError):  # a number of more digits than Python writes, or what is nested too deeply
        return f"this {type(raw).__name__}"
    return truncated(text)


def truncated(text: str) -> str:
    """The beginning of a text."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def unknown(word: str, known: Iterable[str], what: str = "key") -> str:
    """What to say of a word that nobody knows."""
    word = truncated(word)  # which is all that can be compared in no time
    near = difflib.get_close_matches(word, known, n=1)
    hint = f'did you mean "{near[0]}"?' if near else f"known are {', '.join(sorted(known))}"
    return f'unknown {what} "{word}"; {hint}'
