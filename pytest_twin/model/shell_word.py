"""Quote a word of a command that people copy into a shell."""

from __future__ import annotations

PLAIN, SPECIAL = "=.,:/%_-", '"\\$`!'


def shell_word(text: str, *, always: bool = False) -> str:
    """Return a word for a POSIX shell: in double quotes, or in single ones where it has special characters.

    Args:
        text: The word.
        always: Quote it even if it needs no quotes.
    """
    if not always and text and all(each.isalnum() or each in PLAIN for each in text):
        return text
    if text.isprintable() and not any(each in text for each in SPECIAL):
        return f'"{text}"'
    return "'" + text.replace("'", "'\"'\"'") + "'"
