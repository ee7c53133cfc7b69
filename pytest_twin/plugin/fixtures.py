"""The fixtures: imported by every pytest that has the plugin installed, so they import what they need when used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_twin.plugin.stress_fixture import SingleKindStress, StressFixture, StressHandle
    from pytest_twin.plugin.twin_logger import TwinLogger


@pytest.fixture
def twin_logger(request: pytest.FixtureRequest) -> Iterator[TwinLogger]:
    """Write events of this test (annotate, phase) and read its metrics so far (samples, events, peak, mean, path)."""
    from pytest_twin.plugin.session_hooks import run_of
    from pytest_twin.plugin.twin_logger import TwinLogger

    run = run_of(request.config)
    logger = TwinLogger(run.start(), run.begin(request.node), run.settings.interval)
    yield logger
    logger.close()


@pytest.fixture
def _twin_stress(request: pytest.FixtureRequest) -> Iterator[StressFixture]:
    """What starts loads for this test, and stops them when it ends."""
    from pytest_twin.plugin.session_hooks import run_of
    from pytest_twin.plugin.stress_fixture import StressFixture

    run = run_of(request.config)
    stress = StressFixture(run.start(), run.begin(request.node))
    try:
        yield stress
    finally:
        stress.stop_all()


def _of_kind(keyword: str, stress: StressFixture, request: pytest.FixtureRequest) -> SingleKindStress | StressHandle:
    from pytest_twin.plugin.stress_fixture import SingleKindStress

    of_kind = SingleKindStress(stress, keyword)
    return of_kind(request.param) if hasattr(request, "param") else of_kind


@pytest.fixture
def stress_load(_twin_stress: StressFixture, request: pytest.FixtureRequest) -> StressFixture | StressHandle:
    """Start any load: ``stress_load(net="50MB/s", ramp="1s")``; indirect parameters (dicts) start it at set-up."""
    return _twin_stress(**request.param) if hasattr(request, "param") else _twin_stress


@pytest.fixture
def stress_cpu(_twin_stress: StressFixture, request: pytest.FixtureRequest) -> SingleKindStress | StressHandle:
    """Start a CPU load: ``stress_cpu(8)`` or ``stress_cpu("75%")``; indirect parameters start it at set-up."""
    return _of_kind("cpu", _twin_stress, request)


@pytest.fixture
def stress_mem(_twin_stress: StressFixture, request: pytest.FixtureRequest) -> SingleKindStress | StressHandle:
    """Start a memory load: ``stress_mem("1GiB")``, ``stress_mem("25%")``; indirect parameters start it at set-up."""
    return _of_kind("mem", _twin_stress, request)


@pytest.fixture
def stress_disk(_twin_stress: StressFixture, request: pytest.FixtureRequest) -> SingleKindStress | StressHandle:
    """Start a disk load: ``stress_disk("50MB/s")``, ``stress_disk("max")``; indirect parameters start it at set-up."""
    return _of_kind("disk", _twin_stress, request)
