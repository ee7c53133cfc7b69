"""What the code of a test asks for, as far as it can be read off: the attributes that it names."""

from __future__ import annotations

from collections.abc import Container, Iterator
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

MOST = 500  # functions that are looked into for one test


def asks_for(item: pytest.Item, names: Container[str]) -> bool:
    """Whether a test, one of its fixtures, or a function that these call by its name, uses one of these attributes."""
    fixtures: Any = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
    owner = getattr(item, "cls", None)
    pending = [getattr(item, "obj", None), *(each.func for found in fixtures.values() for each in found)]
    seen: set[CodeType] = set()
    while pending and len(seen) < MOST:
        function = pending.pop()
        function = getattr(function, "__func__", function)
        if not isinstance(function, FunctionType) or function.__code__ in seen or _is_ours(function):
            continue
        seen.add(function.__code__)
        used = set(_names(function.__code__))
        if any(name in names for name in used):
            return True
        pending += (*_called(function, used), *(getattr(owner, name, None) for name in used))
    return False


def _is_ours(function: FunctionType) -> bool:
    return function.__module__.partition(".")[0] in {__package__, "_pytest"}


def _names(code: CodeType) -> Iterator[str]:
    """The global names and the attributes that code uses, that of functions within it included."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _called(function: FunctionType, used: set[str]) -> Iterator[object]:
    """The functions that may be meant by these names: of the same module, or of a module or class that it names."""
    wrapped = getattr(function, "__wrapped__", None)
    for name in used:
        found = function.__globals__.get(name)
        if isinstance(found, ModuleType | type):
            yield from (vars(found).get(each) for each in used)
        yield found
    yield wrapped
