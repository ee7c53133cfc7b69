"""A pytest plugin for the benchmarks: the hooks that the accounting of a test needs, without any accounting."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

Hook = Generator[None, Any, Any]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup() -> Hook:
    """Do nothing."""
    return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call() -> Hook:
    """Do nothing."""
    return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown() -> Hook:
    """Do nothing."""
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Hook:
    """Do nothing."""
    return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logreport() -> None:
    """Do nothing."""
