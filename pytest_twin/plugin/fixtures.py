"""The fixtures: imported by every pytest that has the plugin installed, so they import what they need when used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_twin.plugin.stress_fixture import StressFixture, StressHandle
    from pytest_twin.plugin.twin_logger import TwinLogger


@pytest.fixture
def twin_logger(request: pytest.FixtureRequest) -> Iterator[TwinLogger]:
    """Write events of this test (annotate, phase) and read its metrics so far (samples, events, peak, mean, path)."""
    from pytest_twin.plugin.session_hooks import run_of
    from pytest_twin.plugin.twin_logger import TwinLogger

    run = run_of(request.config)
    logger = TwinLogger(run.start(), run.attempt_of(request.node), run.settings.interval)
    yield logger
    logger.close()


def _stress(request: pytest.FixtureRequest, kind: str = "") -> Iterator[StressFixture | StressHandle]:
    """Yield an object that starts loads, or the load of an indirect parameter; all loads stop when the test ends."""
    from pytest_twin.plugin.session_hooks import run_of
    from pytest_twin.plugin.stress_fixture import StressFixture

    run = run_of(request.config)
    stress = StressFixture(run.start(), run.attempt_of(request.node), kind)
    try:
        if not hasattr(request, "param"):
            yield stress
        elif kind:
            yield stress(request.param)
        else:
            yield stress(**request.param)
    finally:
        stress.stop_all()


@pytest.fixture
def stress_load(request: pytest.FixtureRequest) -> Iterator[StressFixture | StressHandle]:
    """Start any load: ``stress_load(net="50MB/s", ramp="1s")``; indirect parameters (dicts) start it at set-up."""
    yield from _stress(request)


@pytest.fixture
def stress_cpu(request: pytest.FixtureRequest) -> Iterator[StressFixture | StressHandle]:
    """Start a CPU load: ``stress_cpu(8)`` or ``stress_cpu("75%")``; indirect parameters start it at set-up."""
    yield from _stress(request, "cpu")


@pytest.fixture
def stress_mem(request: pytest.FixtureRequest) -> Iterator[StressFixture | StressHandle]:
    """Start a memory load: ``stress_mem("1GiB")``, ``stress_mem("25%")``; indirect parameters start it at set-up."""
    yield from _stress(request, "mem")


@pytest.fixture
def stress_disk(request: pytest.FixtureRequest) -> Iterator[StressFixture | StressHandle]:
    """Start a disk load: ``stress_disk("50MB/s")``, ``stress_disk("max")``; indirect parameters start it at set-up."""
    yield from _stress(request, "disk")
