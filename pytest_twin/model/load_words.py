"""The words of a load or a constraint as text: ``cpu=75% mem=1GiB``; ``cpu:75%`` is read too."""

from __future__ import annotations

import re

from pytest_twin.model.error_text import truncated

MAX_INTEGER_DIGITS = 15  # a longer number is passed on as text, which the parser of loads refuses
_WORD = re.compile(r"([^\s=:]+)[=:](\S+)")
_COMMA = re.compile(r"\s*[,;]\s*(?=[A-Za-z]\w*[=:])")  # not one between stages, which begin with a number


def split_words(text: str, what: str) -> dict[str, str]:
    """Return the value of each keyword.

    Args:
        text: The words, separated by spaces.
        what: What it should be, for the error message, such as ``load; write one such as cpu=75%``.

    Raises:
        ValueError: It has no words, a malformed one, or a keyword twice; the message is a predicate on the text.
    """
    if (spaced := _COMMA.sub(" ", text)) != text:
        raise ValueError(f"has commas between its keywords; write spaces: {truncated(spaced)}")
    found: dict[str, str] = {}
    for word in text.split():
        match = _WORD.fullmatch(word)
        if match is None:
            found.clear()
            break
        if match[1] in found:
            raise ValueError(f"has {match[1]} twice")
        found[match[1]] = match[2]
    if not found:
        raise ValueError(f"is not a {what}")
    return found


def word_value(word: str) -> str | int | bool:
    """Return a value as JSON has it, if it is a whole number or a switch."""
    if word.isdecimal() and len(word) <= MAX_INTEGER_DIGITS:
        return int(word)
    return {"true": True, "false": False}.get(word.lower(), word)
