"""Patterns that select tests by their ids, for the path of a budget or the events of a schedule."""

from __future__ import annotations

from fnmatch import fnmatchcase


def matches(pattern: str, nodeid: str) -> bool:
    """Tell whether the id of a test begins with the pattern, taken literally or as a shell pattern.

    The literal comparison comes first, since the brackets of a parametrized test are not brackets of a pattern.
    """
    return nodeid.startswith(pattern) or fnmatchcase(nodeid, f"{pattern}*")
