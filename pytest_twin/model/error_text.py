"""Show what a user wrote in an error message: on one line, and not too long."""

from __future__ import annotations

from collections.abc import Iterable

LONGEST = 100
MOST_KNOWN = 50  # words
SHORTEST_PART = 3  # letters; shorter ones are in words that have nothing to do with them


def shown(raw: object) -> str:
    """Return the ``repr`` of a value, truncated if it is long."""
    if isinstance(raw, str) and len(raw) > LONGEST:
        return f"{raw[:LONGEST]!r}..."
    try:
        text = repr(raw)
    except (ValueError, RecursionError):  # a number of more digits than Python writes, or what is nested too deeply
        return f"this {type(raw).__name__}"
    return truncated(text)


def truncated(text: str) -> str:
    """Return the beginning of a text."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def unknown(word: str, known: Iterable[str], what: str = "key") -> str:
    """Return the message for an unknown word: with the most similar known word, or else with those that are known."""
    words = sorted(known)
    more = f" and {len(words) - MOST_KNOWN} more" if len(words) > MOST_KNOWN else ""
    hint = suggestion(word, words) or f"known are {', '.join(words[:MOST_KNOWN])}{more}"
    return f'unknown {what} "{truncated(word)}"; {hint}'


def suggestion(word: str, known: Iterable[str]) -> str:
    """Return the question ``did you mean "…"?`` with the most similar known word, or the shortest that has it in it."""
    from difflib import get_close_matches  # takes a while to import, and is seldom needed

    words = list(known)
    near = get_close_matches(truncated(word), words, n=1)  # a comparison of long words takes long
    if not near and len(word) >= SHORTEST_PART:
        near = sorted((each for each in words if word in each), key=len)
    return f'did you mean "{near[0]}"?' if near else ""
