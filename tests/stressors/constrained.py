"""Processes in the place of tests, to be constrained, and what the kernel says of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import psutil

STOP_SIGNALS, CONTROL_GROUP = "stop signals", "control group"
BUSY = "while True: pass"
IDLE = "import time\nwhile True: time.sleep(0.01)"
FORKS = "import os\nfor _ in range({}): os.fork()\n"


def constraint(pid: int, **options) -> dict:
    """A request for a constraint of a process and its children."""
    module = "pytest_twin.stressors.constraint.enforcer"
    return {"module": module, "unit": "max", "profile": [[0, 1]], "options": {"pid": pid, **options}}


def own(*words: str) -> list[str]:
    """The command as it is, run by the user of the tests."""
    return [*words]


@contextmanager
def processes(program: str, *, as_user: Callable[..., list[str]] = own, **options):
    """A process that runs a program, in a group of its own that is killed behind the block."""
    command = as_user(sys.executable, "-I", "-S", "-c", program)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, process_group=0, **options)
    try:
        yield process
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.communicate()


def tree(pid: int) -> list[psutil.Process]:
    root = psutil.Process(pid)
    return [root, *root.children(recursive=True)]


def cpu_s(pid: int) -> float:
    return sum(sum(each.cpu_times()[:2]) for each in tree(pid))


def states(pid: int) -> set[str]:
    return {Path(f"/proc/{each.pid}/stat").read_text().rpartition(") ")[2][0] for each in tree(pid)}


def seconds_used(pid: int, seconds: float) -> float:
    """CPU seconds that the processes use in some seconds, for each of these: at most that, if the machine stalls."""
    began, before = time.monotonic(), cpu_s(pid)
    time.sleep(seconds)
    used_s = cpu_s(pid) - before
    return used_s / (time.monotonic() - began)


def is_free(pid: int, seconds: float = 0.3) -> bool:
    """Whether a busy process uses as much as another one that is started beside it; others may need the CPUs too."""
    with processes(BUSY) as peer:
        before = cpu_s(pid), cpu_s(peer.pid)
        time.sleep(seconds)
        used_s, used_by_peer_s = cpu_s(pid) - before[0], cpu_s(peer.pid) - before[1]
    return used_s > 0.5 * used_by_peer_s > 0


def is_held(pid: int, most: float, seconds: float = 1.0) -> bool:
    """Whether the processes use at most so many CPU seconds a second in one of ten tries.

    What enforces it may be kept from the CPU itself for a while; processes that nobody holds use more in each try.
    """
    return any(seconds_used(pid, seconds) < most for _ in range(10))


def enforcer(supervisor_pid: int) -> psutil.Process:
    """The enforcer of the only load: the one that has a guardian, which may get its name a moment later."""
    until = time.monotonic() + 30
    while True:
        workers = psutil.Process(supervisor_pid).children()
        for each in workers:
            if any(child.name() == "twin-guardian" for child in each.children()):
                return each
        assert time.monotonic() < until, "no worker has a guardian"
        time.sleep(0.005)


def beside(home: str) -> set[str]:
    """Where a process of these groups may be beside a constraint: with version 2 in a group for the rest."""
    return {home, f"{home.rstrip()}/pytest-twin-rest\n"}


def groups_of(*enforcers: int) -> list[Path]:
    """The control groups that were made by these enforcers, however deep."""
    names = tuple(f"pytest-twin-{pid}-" for pid in enforcers)
    return [Path(folder) for folder, _, _ in os.walk("/sys/fs/cgroup") if Path(folder).name.startswith(names)]
