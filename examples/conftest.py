"""A hook of pytest-twin that receives the events of this process, and a filter for warnings of pytest-twin."""

from __future__ import annotations

import json

import pytest

collect_ignore = ["flaky"]  # its tests fail beside loads, which is their purpose: pytest examples/flaky

aborted = pytest.StashKey[list[str]]()


def pytest_configure(config):
    # with -W error, a load that achieves less than requested on a busy machine does not fail the test; see below
    config.addinivalue_line("filterwarnings", "default::pytest_twin.TwinWarning")


@pytest.hookimpl(optionalhook=True)  # the tests also run without pytest-twin
def pytest_twin_event(event, config):
    if event.event == "abort":
        reason = json.loads(event.detail)["reason"] if event.detail.startswith("{") else event.detail
        config.stash.setdefault(aborted, []).append(f"{event.type} {event.target}: {reason}")


def pytest_terminal_summary(terminalreporter, config):
    for line in config.stash.get(aborted, []):
        terminalreporter.write_line(f"a load was aborted: {line}")
