"""Which tests a pattern is for: a budget's path, or the tests of an event of a schedule."""

from __future__ import annotations

from fnmatch import fnmatchcase


def matches(pattern: str, nodeid: str) -> bool:
    """Whether the id of a test begins with the pattern, as it stands or as that of a shell.

    As it stands first: the brackets of a parametrised test are no brackets of a pattern.
    """
    return nodeid.startswith(pattern) or fnmatchcase(nodeid, f"{pattern}*")
