"""The fixtures: imported by every pytest that has the plugin installed, so they import what they need when used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_twin.logger import TwinLogger
    from pytest_twin.stress import Stress, StressHandle


@pytest.fixture
def twin_logger(request: pytest.FixtureRequest) -> TwinLogger:
    """Telemetry of this test so far: annotate, phase, samples, events, peak, mean, path."""
    from pytest_twin.logger import TwinLogger
    from pytest_twin.runtest import run_of

    run = run_of(request.config)
    return TwinLogger(run.start(), run.begin(request.node), run.settings.interval)


def _stress(keyword: str, request: pytest.FixtureRequest) -> Iterator[Stress | StressHandle]:
    from pytest_twin.runtest import run_of
    from pytest_twin.stress import Stress

    run = run_of(request.config)
    stress = Stress(keyword, run.start(), run.begin(request.node))
    try:
        yield stress(request.param) if hasattr(request, "param") else stress
    finally:
        stress.stop_all()


@pytest.fixture
def stress_cpu(request: pytest.FixtureRequest) -> Iterator[Stress | StressHandle]:
    """Start a CPU load: ``stress_cpu(8)`` or ``stress_cpu("75%")``; parametrised indirectly, the load itself."""
    yield from _stress("cpu", request)


@pytest.fixture
def stress_mem(request: pytest.FixtureRequest) -> Iterator[Stress | StressHandle]:
    """Start a memory load: ``stress_mem("1GiB")``, ``stress_mem("25%")``; parametrised indirectly, the load itself."""
    yield from _stress("mem", request)


@pytest.fixture
def stress_disk(request: pytest.FixtureRequest) -> Iterator[Stress | StressHandle]:
    """Start a disk load: ``stress_disk("50MB/s")``, ``stress_disk("max")``; indirectly parametrised, it is the load."""
    yield from _stress("disk", request)
