"""All that pytest calls: hooks, marks and fixtures; ``-p pytest_twin.plugin`` loads it without its entry point."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.machinery import PathFinder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    import pytest

ENTRY_POINT, PACKAGE = "twin", "pytest_twin."


class PlainImport:
    """Finds the modules of this package before pytest does.

    pytest rewrites the assertions in plugins, and loads such modules in five times the time that Python takes for them.
    These have no assertions to rewrite, and every test session waits for them.
    """

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Return where a module of this package is, as `importlib.abc.MetaPathFinder` does; None for any other."""
        return PathFinder.find_spec(name, path, target) if name.startswith(PACKAGE) else None


if PlainImport not in sys.meta_path:
    sys.meta_path.insert(0, PlainImport)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Register the hooks, unless they are: for a name in `pytest_plugins` pytest searches all installed packages."""
    hooks = import_module(f"{__name__}.hooks")  # by its name, since it imports from here
    if not pluginmanager.is_registered(hooks):
        # `-p no:twin` blocks the entry point, and not this
        _ = pluginmanager.register(hooks, ENTRY_POINT) or pluginmanager.register(hooks)
