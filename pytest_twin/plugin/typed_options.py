"""Whether the user has typed an option now, or whether it comes from ``addopts`` or a configuration file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_twin.settings import options

if TYPE_CHECKING:
    import pytest


def is_typed(config: pytest.Config, name: str) -> bool:
    """Return whether an option was typed, for the controller if this is a worker of pytest-xdist.

    What stands in ``addopts``, or in a variable of a CI, was written for any run and any machine.
    """
    return any(str(word).partition("=")[0] == options.flag(name) for word in config.invocation_params.args)
