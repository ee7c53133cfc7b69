"""Kill the processes that keep a constraint in force, and look for whatever they leave behind."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import cycle
from pathlib import Path
from typing import IO, Any, NamedTuple

from pytest_twin.stressors import __main__ as supervisor_main
from pytest_twin.stressors.constraint.enforcer import KIND, find_backends

PATIENCE_S = 60.0
BACKENDS = "control group", "stop signals"
VICTIMS: tuple[tuple[str, ...], ...] = (
    ("enforcer",), ("guardian",), ("supervisor",), ("root",), ("enforcer", "supervisor"), ("supervisor", "root"),
)  # fmt: skip
TESTS = "import os\nfor _ in range(2): os.fork()\nwhile True: pass"


class Remains(NamedTuple):
    """What one kill has left behind.

    Attributes:
        took_s: Seconds until the processes of the tests were as before.
        stopped: Processes of the tests that are stopped.
        elsewhere: Processes of the tests in other control groups than before.
        limited: Processes of the tests with fewer CPUs or a limit of their data.
        groups: Control groups.
        processes: Processes of ours.
        in_force: Whether the constraint was in force at the kill.
    """

    took_s: float
    stopped: int
    elsewhere: int
    limited: int
    groups: int
    processes: int
    in_force: bool

    @property
    def is_clean(self) -> bool:
        """Whether nothing is left."""
        return not any(self[1:6])


def usable_backends() -> list[str]:
    """Return the backends that work here for CPU time and memory."""
    found = find_backends()
    return [name for name in BACKENDS if not found["cpu"].get(name) and not found["mem"].get(name)]


def kill_constrained(
    number: int, backend: str, latest_s: float, draw: random.Random
) -> tuple[tuple[str, ...], Remains]:
    """Constrain processes and kill somebody; return who was killed, and what was left."""
    roles = VICTIMS[number % len(VICTIMS)]
    tests = subprocess.Popen([sys.executable, "-I", "-S", "-c", TESTS], start_new_session=True)
    command = [sys.executable, "-I", "-S", str(supervisor_main.__file__)]
    supervisor = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    applies: threading.Thread | None = None
    assert supervisor.stdin is not None  # noqa: S101 - for the type checker
    assert supervisor.stdout is not None  # noqa: S101
    try:
        supervisor.stdout.readline()
        until(lambda: len(session(tests.pid)) == 4)
        before = {pid: groups(pid) for pid in session(tests.pid)}
        options = {"pid": tests.pid, "cpu": 0.1, "cpus": 1, "backend": backend}
        is_reused = number // len(VICTIMS) % 2 == 1
        options |= {"reuse": True} if is_reused else {"mem": 1 << 28}
        request = {"op": "apply", "id": "storm", "module": KIND.module, "unit": "max", "profile": [[0, 1]]}
        applies = threading.Thread(target=apply, args=(supervisor, {**request, "options": options}, is_reused))
        applies.start()
        time.sleep(draw.uniform(0, latest_s))
        ours = ours_of(supervisor.pid)
        in_force = "guardian" in ours.values()
        for pid in (tests.pid, supervisor.pid, *ours):
            role = {tests.pid: "root", supervisor.pid: "supervisor"}.get(pid) or ours[pid]
            if role in roles:
                kill(pid)
        killed = time.monotonic()
        doomed = [pid for pid, role in ours.items() if role in {"enforcer", "guardian"}]
        if roles == ("root",) or not in_force or is_reused:
            close(supervisor.stdin)  # the run ends
        until_clean(before, doomed)
        took_s = time.monotonic() - killed
        close(supervisor.stdin)
        supervisor.wait()
        remains = until_clean(before, [*ours, *doomed])
        return roles, remains._replace(took_s=took_s, in_force=in_force)
    finally:
        for pid in session(tests.pid):
            kill(pid)
        tests.wait()
        supervisor.kill()
        supervisor.wait()
        if applies is not None:
            applies.join()
        supervisor.stdout.close()


def apply(supervisor: subprocess.Popen[bytes], request: dict[str, Any], is_reused: bool) -> None:
    """Apply a constraint; one that is reused again and again, until the supervisor ends."""
    stop = {"op": "stop", "id": request["id"]}
    with suppress(OSError, ValueError):  # its pipes are closed
        for message in cycle((request, stop)) if is_reused else (request,):
            supervisor.stdin.write(json.dumps(message).encode() + b"\n")
            supervisor.stdin.flush()
            if not supervisor.stdout.readline():
                return


def close(pipe: IO[bytes]) -> None:
    """Close a pipe, also if nobody reads what is left in it."""
    with suppress(OSError):
        pipe.close()


def until_clean(before: dict[int, str], ours: list[int]) -> Remains:
    """Wait until everything is as before; return what is not at the end."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        remains = look(before, ours)
        if remains.is_clean or time.monotonic() > deadline:
            return remains
        time.sleep(0.002)


def look(before: dict[int, str], ours: list[int]) -> Remains:
    """Compare the processes of the tests with how they were before."""
    tests = [pid for pid in before if exists(pid)]
    present = {pid: (state(pid), groups(pid), limits(pid)) for pid in tests}
    known = {pid: each for pid, each in present.items() if exists(pid)}  # they may end meanwhile
    usual = (len(os.sched_getaffinity(0)), resource.getrlimit(resource.RLIMIT_DATA)[0])
    return Remains(
        0.0,
        sum(each[0] == "T" for each in known.values()),
        sum(each[1] != before[pid] for pid, each in known.items()),
        sum(each[2] != usual for each in known.values()),
        sum(len(group_folders(pid)) for pid in ours),
        sum(map(exists, ours)),
        in_force=False,
    )


def session(leader: int) -> list[int]:
    """Return the processes of a session that exist."""
    found = []
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            if os.getsid(int(name)) == leader and exists(int(name)):
                found.append(int(name))
        except ProcessLookupError:
            continue
    return found


def ours_of(supervisor: int) -> dict[int, str]:
    """Return the role of each process below a supervisor."""
    found: dict[int, str] = {}
    for worker in children(supervisor):
        guardians = children(worker)
        found[worker] = "enforcer" if guardians else "worker"
        found.update(dict.fromkeys(guardians, "guardian"))
    return found


def children(pid: int) -> list[int]:
    """Return the children of a process; none if it has ended."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def state(pid: int) -> str:
    """Return the state of a process (proc_pid_stat(5)); empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][:1]
    except OSError:
        return ""


def exists(pid: int) -> bool:
    """Whether a process exists and has not ended."""
    return state(pid) not in {"", "Z", "X"}


def groups(pid: int) -> str:
    """Return the control groups of a process."""
    try:
        return Path(f"/proc/{pid}/cgroup").read_text()
    except OSError:
        return ""


def limits(pid: int) -> tuple[int, int]:
    """Return the number of CPUs of a process and the limit of its data."""
    try:
        return len(os.sched_getaffinity(pid)), resource.prlimit(pid, resource.RLIMIT_DATA)[0]
    except OSError:
        return 0, 0


def group_folders(enforcer: int) -> list[str]:
    """Return the control groups that an enforcer has made."""
    name = f"pytest-twin-{enforcer}-"
    return [folder for folder, _, _ in os.walk("/sys/fs/cgroup") if os.path.basename(folder).startswith(name)]


def kill(pid: int) -> None:
    """Kill a process, unless it has ended."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds.

    Raises:
        SystemExit: It does not in a long time.
    """
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"not within {PATIENCE_S:g} s")
        time.sleep(0.002)
