"""All that pytest calls: hooks, marks and fixtures; ``-p pytest_twin.plugin`` loads it without its entry point."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import pytest

ENTRY_POINT = "twin"


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Register the hooks, unless they are: for a name in `pytest_plugins` pytest searches all installed packages."""
    from pytest_twin.plugin import hooks

    if not pluginmanager.is_registered(hooks):
        # `-p no:twin` blocks the entry point, and not this
        _ = pluginmanager.register(hooks, ENTRY_POINT) or pluginmanager.register(hooks)
