"""What several test files share."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import psutil
import pytest
from control_groups import Group, made_group

pytest_plugins = ["pytester"]

Eventually = Callable[..., None]


@pytest.fixture
def eventually() -> Eventually:
    """Waits until a condition holds; a long limit, for a machine that is busy with something else."""

    def wait(condition: Callable[[], object], within: float = 30.0) -> None:
        deadline = time.monotonic() + within
        while not condition():
            assert time.monotonic() < deadline, f"not within {within} s"
            time.sleep(0.01)

    return wait


@pytest.fixture
def eventually_gone(eventually: Eventually) -> Callable[..., None]:
    """Waits until processes have ended; an orphan may stay on as a zombie until somebody reaps it."""

    def ended(process: psutil.Process) -> bool:
        try:
            return process.status() in {psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD}
        except psutil.NoSuchProcess:
            return True

    return lambda processes, within=30.0: eventually(lambda: all(map(ended, processes)), within)


@pytest.fixture
def group(eventually: Eventually) -> Iterator[Group]:
    """A control group for CPU time and memory, where this process may make one."""
    with made_group(eventually) as made:
        yield made
