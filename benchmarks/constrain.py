"""Measure how closely a quota of CPU time is kept, and how long the stalls are: ours, the kernel's, and cpulimit.

    python benchmarks/constrain.py --seconds 8

Busy processes get a quota from the control group and from the stop signals of pytest-twin, from a control group that is
made by hand, and from cpulimit, in turn. Printed are the CPUs that they used in windows of a second, minus the quota,
in per cent of a CPU; the stalls of a busy loop, which are the gaps of more than 2 ms in its clock; and what the
controlling processes used. At last nothing is throttled: the processes sleep, and what the controller uses is its cost;
and trivial tests run with all CPUs as their quota, which the session or the mark of each test asks for. That is
compared with the same tests without a constraint, and with plain pytest; `--tests-only` measures nothing else.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from _cpu_windows import clock_of, our_load, rms, supervisor, watched
from _shared import helper, interleaved, line_of, program, show, show_one, tree, tree_cpu_s
from trivial_tests import COUNT, PLAIN, TESTS, TWIN

from pytest_twin.loads.constraint import parse_constraint
from pytest_twin.loads.supervisor_client import SupervisorClient
from pytest_twin.stressors.constraint.control_group import find_hierarchy

QUOTAS = 0.1, 0.25, 0.5, 1.0
PROCESSES = 1, 4, 20
CPUS = len(os.sched_getaffinity(0))
PERIOD_US = 100_000
BY_HAND, PEER = "kernel by hand", "cpulimit"
OURS = {"control group": "ours, control group", "stop signals": "ours, stop signals"}
GAP = struct.Struct("dd")  # time and length
WARM_UP_S = 1.0
BUSY = """import os, struct, sys, time
count, path, is_busy = int(sys.argv[1]), sys.argv[2], sys.argv[3] == 'busy'
gaps, parent = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), os.getpid()
for _ in range(count - 1):
    if not os.fork(): break
else:
    print('there', flush=True)
last = time.monotonic()
while os.getpid() == parent or os.getppid() == parent:
    if not is_busy: time.sleep(0.01); continue
    now = time.monotonic()
    if now - last > 0.002: os.write(gaps, struct.pack('dd', now, now - last))
    last = now
"""
MARKED_TESTS = TESTS.replace("def test", f"@pytest.mark.constrain(cpu={CPUS})\ndef test")
CHOOSE_BACKEND = """
from pytest_twin.stressors.spec.request import LoadRequest
with_options = LoadRequest.with_options
LoadRequest.with_options = lambda self, **options: with_options(self, **{{**options, "backend": {!r}}})
"""
Controller = Callable[[int, float], AbstractContextManager[Callable[[], float]]]


class Measurement(NamedTuple):
    """One contender at one quota.

    Attributes:
        errors: CPUs used minus the quota, in per cent of a CPU, in each second.
        gaps_ms: The gaps in the clock of a busy loop.
        controller: What the controlling processes used, in per cent of a CPU.
    """

    errors: list[float]
    gaps_ms: list[float]
    controller: float


def ours(running: SupervisorClient, backend: str) -> Controller:
    """Return what constrains a process by pytest-twin."""

    @contextmanager
    def control(pid: int, quota: float) -> Iterator[Callable[[], float]]:
        part = parse_constraint({"cpu": quota})
        part = replace(part, options={**part.options, "pid": pid, "backend": backend})
        with our_load(running, part) as clock:
            yield clock

    return control


@contextmanager
def by_hand(pid: int, quota: float) -> Iterator[Callable[[], float]]:
    """Constrain a process by a control group of version 1."""
    home = Path(find_hierarchy("cpu").folder_of(pid))
    group = home / f"by-hand-{os.getpid()}"
    group.mkdir()
    try:
        (group / "cpu.cfs_quota_us").write_text(str(round(quota * PERIOD_US)))
        pids = list(tree(pid))
        for each in pids:
            (group / "cgroup.procs").write_text(str(each))
        yield lambda: 0.0
        for each in pids:
            (home / "cgroup.procs").write_text(str(each))
    finally:
        for each in (group / "cgroup.procs").read_text().split():
            (home / "cgroup.procs").write_text(each)
        group.rmdir()


def peer(path: str) -> Controller:
    """Return what constrains a process and its children by cpulimit; the option for children depends on its version."""
    told = subprocess.run([path, "--help"], capture_output=True, text=True, check=False)
    children = "-m" if "--monitor-forks" in told.stdout + told.stderr else "-i"

    @contextmanager
    def control(pid: int, quota: float) -> Iterator[Callable[[], float]]:
        command = [path, "-l", str(round(100 * quota)), "-p", str(pid), children]
        quiet = subprocess.DEVNULL
        with subprocess.Popen(command, stdout=quiet, stderr=quiet, process_group=0) as process:
            time.sleep(0.2)
            try:
                if process.poll() is not None:
                    raise OSError(f"{path} has ended by itself")
                yield lambda: tree_cpu_s(process.pid)
            finally:
                try:
                    os.killpg(process.pid, signal.SIGKILL)  # it leaves one process for each child otherwise
                except ProcessLookupError:
                    pass

    return control


def measure(control: Controller, quota: float, count: int, seconds: float, *, is_busy: bool = True) -> Measurement:
    """Constrain some processes, and read what they and the controller use."""
    with tempfile.NamedTemporaryFile() as gaps, helper(BUSY, count, gaps.name, "busy" if is_busy else "idle") as busy:
        line_of(busy)
        with control(busy.pid, quota) as controller_clock:
            time.sleep(WARM_UP_S)
            began, before = time.monotonic(), controller_clock()
            readings = watched(clock_of(list(tree(busy.pid))), seconds, step=1.0)
            span = time.monotonic() - began
            used = (controller_clock() - before) / span
        for pid in set(tree(busy.pid)):  # cpulimit leaves those that it has stopped
            os.kill(pid, signal.SIGKILL)
        found = [each for each in GAP.iter_unpack(gaps.read()) if began < each[0] < began + span]
    target = min(quota, count, CPUS) if is_busy else 0.0
    marks = pairwise(readings)
    errors = [100 * ((used - before) / (at - then) - target) for (then, before, _), (at, used, _) in marks]
    return Measurement(errors, [1000 * length for _, length in found], 100 * used)


def tell(name: str, found: Sequence[Measurement], kernel: Sequence[Measurement]) -> None:
    """Print the figures of one contender, with the stalls beside those of the kernel."""
    errors = [error for each in found for error in each.errors]
    is_ours = name.startswith("ours")
    show_one(f"{name}: mean error", f"{statistics.fmean(errors):+.2f}", "%", "at most 1" if is_ours else "")
    show_one(f"{name}: rms error, 1 s", f"{rms(errors):.2f}", "%", "at most 2" if is_ours else "")
    gaps, truth = ([gap for each in some for gap in each.gaps_ms] for some in (found, kernel))
    for label, share, goal in (("median", 0.5, "within 5 %"), ("p95", 0.95, "within 15 %")):
        if gaps:
            value = sorted(gaps)[int(share * (len(gaps) - 1))]
            beside = ""
            if truth and is_ours:
                ratio = value / sorted(truth)[int(share * (len(truth) - 1))] - 1
                beside = f"{goal} of the kernel's; is {100 * ratio:+.1f} %"
            show_one(f"{name}: stall, {label}", f"{value:.1f}", "ms", beside)
    if name != BY_HAND:
        show_one(f"{name}: controller", statistics.fmean(each.controller for each in found), "%")


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8, help="duration of each measurement")
    parser.add_argument("--rounds", type=int, default=1, help="measurements of each contender, which take turns")
    parser.add_argument("--quotas", type=float, nargs="*", default=QUOTAS, help="quotas in CPUs")
    parser.add_argument("--processes", type=int, nargs="*", default=PROCESSES, help="numbers of busy processes")
    parser.add_argument("--tests", type=int, default=COUNT, help="number of the trivial tests")
    parser.add_argument("--tests-only", action="store_true", help="measure only what a constraint costs a test")
    given = parser.parse_args()
    if given.tests_only:
        show_cost_of_tests(given.tests, given.rounds)
        return
    path = program("cpulimit", "apt-get install cpulimit")
    with supervisor() as running:
        contenders: dict[str, Controller] = {BY_HAND: by_hand}
        contenders |= {name: ours(running, backend) for backend, name in OURS.items()}
        if path:
            contenders[PEER] = peer(path)
        for quota in given.quotas:
            for count in given.processes:
                print(f"{quota:g} CPUs, {count} processes", flush=True)
                compare(contenders, quota, count, given)
        print(f"{CPUS} CPUs, {PROCESSES[1]} processes that sleep: nothing is throttled", flush=True)
        for name, control in contenders.items():
            if name != BY_HAND:
                cost = measure(control, CPUS, PROCESSES[1], given.seconds, is_busy=False).controller
                show_one(f"{name}: cost", cost, "%", "at most 1" if name != PEER else "")
    show_cost_of_tests(given.tests, given.rounds)


def show_cost_of_tests(count: int, rounds: int) -> None:
    """Print by how much longer each of some trivial tests takes under a constraint of the session, and of its own."""
    limited = TWIN._replace(flags=("--twin", f"--twin-constrain=cpu={CPUS}"))
    with tempfile.TemporaryDirectory() as name:
        plain = Path(name) / "plain"
        contenders = {PLAIN.name: (PLAIN, plain), "recorded": (TWIN, plain), "session's constraint": (limited, plain)}
        _write_tests(plain, TESTS.format(count))
        for backend in OURS:
            contenders[f"mark, {backend}"] = TWIN, Path(name) / backend.replace(" ", "-")
            _write_tests(contenders[f"mark, {backend}"][1], MARKED_TESTS.format(count), CHOOSE_BACKEND.format(backend))
        runs = {who: partial(run.seconds, folder, count) for who, (run, folder) in contenders.items()}
        took = interleaved(runs, max(2, rounds))
    for who in contenders:
        base = "recorded" if who not in {PLAIN.name, "recorded"} else PLAIN.name
        if who != base:
            more = [1e3 * (one - other) / count for one, other in zip(took[who], took[base], strict=True)]
            goal = "at most 1" if base == "recorded" else ""
            show(f"a test of {count}: {who}, longer than {base} by", more, "ms", goal)


def _write_tests(folder: Path, tests: str, conftest: str = "") -> None:
    folder.mkdir()
    (folder / "test_trivial.py").write_text(tests)
    (folder / "conftest.py").write_text(conftest)


def compare(contenders: dict[str, Controller], quota: float, count: int, given: argparse.Namespace) -> None:
    """Measure all contenders in turn, and print their figures."""
    found: dict[str, list[Measurement]] = {}
    for _ in range(given.rounds):
        for name in list(contenders):
            try:
                measured = measure(contenders[name], quota, count, given.seconds)
            except (OSError, SystemExit) as error:
                print(f"{name}: skipped: {error}", flush=True)
                del contenders[name]
                continue
            found.setdefault(name, []).append(measured)
    for name, each in found.items():
        tell(name, each, found.get(BY_HAND, ()))


if __name__ == "__main__":
    main()
