"""An interrupt that only the controller of pytest-xdist workers got, as from ``kill -INT``: they would go on."""

from __future__ import annotations

from contextlib import suppress

import psutil

from pytest_twin.model.clock import monotonic
from pytest_twin.stdlib import signal, time
from pytest_twin.stressors.name import PROCESS_NAME

BY_THEMSELVES_S = 0.5  # in which workers end their loads that got it too, as those of a terminal do


def interrupt_those_with_loads() -> None:
    """Hand it on to the workers of this host that have loads still, which pytest-xdist lets go on for some seconds."""
    until = monotonic() + BY_THEMSELVES_S
    while loaded := [each for each in psutil.Process().children() if _has_loads(each)]:
        if monotonic() > until:
            for worker in loaded:
                with suppress(psutil.Error):  # it has ended
                    worker.send_signal(signal.SIGINT)
            return
        time.sleep(BY_THEMSELVES_S / 10)


def _has_loads(worker: psutil.Process) -> bool:
    """Whether a supervisor of loads is there; one without any costs nothing, but cannot be told from others."""
    try:
        return any(each.name() == PROCESS_NAME for each in worker.children())
    except psutil.Error:  # it has ended
        return False
