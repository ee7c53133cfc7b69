"""The file of ``--twin-flaky-known``: tests that may break in the search without failing it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_twin.model.nodeid_pattern import matches
from pytest_twin.settings.options import SettingsError, flag

if TYPE_CHECKING:
    from collections.abc import Iterable


class KnownTests:
    """Node ids and patterns of tests that are known to break."""

    def __init__(self, path: Path | None, base_dir: Path) -> None:
        """Read the file.

        Args:
            path: The file; None for no known tests.
            base_dir: The folder that its path is relative to.

        Raises:
            SettingsError: It cannot be read.
        """
        self._patterns: list[str] = []
        if path is None:
            return
        try:
            text = (base_dir / path).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise SettingsError(f"{flag('flaky_known')}: {path}: {reason}") from None
        lines = (line.strip() for line in text.splitlines())
        found = (line.partition(" #")[0].rstrip() for line in lines if line and not line.startswith("#"))
        self._patterns = list(dict.fromkeys(found))

    def has(self, nodeid: str) -> bool:
        """Return whether a test is known: a pattern matches its id or begins it, as a file or a class does."""
        return any(_is_match(pattern, nodeid) for pattern in self._patterns)

    def unmatched(self, nodeids: Iterable[str]) -> list[str]:
        """Return the lines that match none of these tests."""
        tests = list(nodeids)
        return [pattern for pattern in self._patterns if not any(_is_match(pattern, each) for each in tests)]


def _is_match(pattern: str, nodeid: str) -> bool:
    """Return whether a line is the id of a test, the id of a file, class or function that it is in, or a pattern."""
    rest = nodeid.removeprefix(pattern)
    if rest != nodeid or nodeid == pattern:
        return rest[:1] in {"", ":", "[", "/"} or pattern.endswith(("/", "::"))
    return any(each in pattern for each in "*?[") and matches(pattern, nodeid)
