"""A hook of pytest-twin's, called with every event of this process, and what becomes of its warnings."""

from __future__ import annotations

import pytest

aborted = pytest.StashKey[list[str]]()


def pytest_configure(config):
    # where warnings are errors: that a busy machine gave a load less than was asked fails no example, it is told below
    config.addinivalue_line("filterwarnings", "default::pytest_twin.TwinWarning")


@pytest.hookimpl(optionalhook=True)  # where pytest-twin is not there, the tests run all the same
def pytest_twin_event(event, config):
    if event.event == "abort":
        config.stash.setdefault(aborted, []).append(f"{event.type} {event.target}: {event.detail}")


def pytest_terminal_summary(terminalreporter, config):
    for line in config.stash.get(aborted, []):
        terminalreporter.write_line(f"a load was not what it should be: {line}")
