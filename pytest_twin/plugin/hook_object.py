"""The base class of objects that are registered as plugins."""

from __future__ import annotations


class HookObject:
    """Hooks as methods of an object, of which pytest sees nothing else.

    It searches all names of a plugin, those of `object` too, for hooks and for fixtures, in 20 µs each.
    """

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if name.startswith("pytest_")]
