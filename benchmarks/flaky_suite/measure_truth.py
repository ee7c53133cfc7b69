"""Measure under which conditions the tests of this suite fail, in control groups made by hand.

    python benchmarks/flaky_suite/measure_truth.py --rounds 20 -o benchmarks/flaky_suite/truth.csv

pytest collects the suite without pytest-twin and forks for each run, which takes its place in the groups of the
condition before the set-up of its test. Conditions are measured in turns, so that a drift of the machine affects all
alike. Runs under a small quota go on beside others, all other runs are alone. The loads are those of `pytest-twin
stress`. Root and the hierarchies `cpu` and `memory` of control groups version 1 are required.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

FOLDER = Path(__file__).parent
PERIOD_US = 100_000
LONGEST_S = 60.0  # a run that takes longer has failed
SPARE_BYTES = 64 << 20  # at least as much more than the peak
PEAKS = 1.5  # the memory of a test, as a multiple of its own peak
PARALLEL_CPUS = 0.4  # the sum of the quotas of runs at the same time
COMMON = 0.2  # of the runs have to fail for a condition to break a test
CPUS = len(os.sched_getaffinity(0))


class Condition(NamedTuple):
    """Less of the machine for a run, or more load beside it.

    Attributes:
        name: The column in the table.
        quota: CPUs' worth of time in each period.
        cpus: CPUs to run on.
        memory: Whether the memory is limited.
        load: Options of `pytest-twin stress`.
    """

    name: str
    quota: float | None = None
    cpus: int | None = None
    memory: bool = False
    load: tuple[str, ...] = ()


UNCOUNTED = Condition("uncounted")
QUIET = (Condition("idle"), Condition("busy neighbour", load=("--cpu", "1")))
SCARCE = (  # the mildest first
    Condition("cpus=1", cpus=1),
    Condition("load cpu=100%", load=("--cpu", "100%")),
    Condition("cpu=0.5", quota=0.5),
    Condition("mem", memory=True),
    Condition("load disk=max", load=("--disk", "max")),
    Condition("load cpu=4 per CPU", load=("--cpu", str(4 * CPUS))),
    Condition("cpu=0.25", quota=0.25),
    Condition("cpu=0.25 load disk=max", quota=0.25, load=("--disk", "max")),
    Condition("cpu=0.25 load cpu=100%", quota=0.25, load=("--cpu", "100%")),
    Condition("cpu=0.1", quota=0.1),
    Condition("cpu=0.05", quota=0.05),
)


class Group:
    """A control group below that of this process, in one hierarchy of version 1."""

    def __init__(self, hierarchy: str, name: str, values: dict[str, int]) -> None:
        """Make it, with these values of its files."""
        self.path = Path("/sys/fs/cgroup") / hierarchy / name
        self.path.mkdir(exist_ok=True)
        for file, value in values.items():
            (self.path / file).write_text(str(value))

    def enter(self) -> None:
        """Move the calling process into it."""
        (self.path / "cgroup.procs").write_text("0")

    def remove(self) -> None:
        """Kill the processes that are left, and remove it."""
        for _ in range(100):
            for pid in (self.path / "cgroup.procs").read_text().split():
                os.kill(int(pid), signal.SIGKILL)
            try:
                self.path.rmdir()
            except OSError:  # the kernel has not let go of its processes yet
                time.sleep(0.02)
            else:
                return


class Run(NamedTuple):
    """A run that goes on."""

    item: pytest.Item
    condition: Condition
    groups: list[Group]
    deadline: float


class Measurement:
    """A plugin that replaces the loop of pytest by runs under the conditions."""

    def __init__(self, conditions: Mapping[Condition, int], rounds: int, shares: int) -> None:
        """Prepare this many runs of each test under each of the conditions in each of the rounds."""
        self.conditions, self.rounds, self.shares = conditions, rounds, shares
        self.items: list[pytest.Item] = []
        self.failures: Counter[tuple[str, str]] = Counter()
        self.peaks: Counter[str] = Counter()
        self._going: dict[int, Run] = {}
        self._number = 0
        self._top = f"truth-{os.getpid()}"

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Measure."""
        self.items = session.items
        top = Group("cpu", self._top, {"cpu.shares": self.shares})
        try:
            self._run_all(UNCOUNTED, top)  # for the peaks
            for number in range(self.rounds):
                for condition, runs in self.conditions.items():
                    with load(condition, top):
                        for _ in range(runs):
                            self._run_all(condition, top)
                print(f"round {number + 1} of {self.rounds}", file=sys.stderr, flush=True)
        finally:
            for pid in self._going:
                os.kill(pid, signal.SIGKILL)
            self._finish_all()
            top.remove()
        return True

    def _run_all(self, condition: Condition, top: Group) -> None:
        parallel = 1 if condition.quota is None or condition.load else max(1, int(PARALLEL_CPUS / condition.quota))
        for item in self.items:
            while len(self._going) >= parallel:
                self._finish_one()
            self._start(item, condition, top)
        self._finish_all()

    def _start(self, item: pytest.Item, condition: Condition, top: Group) -> None:
        self._number += 1
        groups = []
        if condition.quota is not None:
            values = {"cpu.cfs_period_us": PERIOD_US, "cpu.cfs_quota_us": int(condition.quota * PERIOD_US)}
            groups.append(Group("cpu", f"{self._top}/{self._number}", values))
        if condition.memory:
            peak = self.peaks[item.nodeid]
            limit = int(max(PEAKS * peak, peak + SPARE_BYTES))
            groups.append(Group("memory", f"{self._top}-{self._number}", {"memory.limit_in_bytes": limit}))
        pid = os.fork()
        if not pid:
            status = 2
            try:
                status = run(item, condition, [top, *groups])
            finally:
                os._exit(status)
        self._going[pid] = Run(item, condition, groups, time.monotonic() + LONGEST_S)

    def _finish_all(self) -> None:
        while self._going:
            self._finish_one()

    def _finish_one(self) -> None:
        """Wait for a run that ends, and count it."""
        while True:
            for pid, each in self._going.items():
                if time.monotonic() > each.deadline:
                    os.kill(pid, signal.SIGKILL)
            ended, status, usage = os.wait4(-1, os.WNOHANG)
            if ended in self._going:
                break
            time.sleep(0.005)
        each = self._going.pop(ended)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(ended, signal.SIGKILL)  # its children
        for group in each.groups:
            group.remove()
        name = each.item.nodeid
        if each.condition is UNCOUNTED:
            self.peaks[name] = usage.ru_maxrss * 1024
        else:
            self.failures[name, each.condition.name] += status != 0


@contextlib.contextmanager
def load(condition: Condition, top: Group) -> Iterator[None]:
    """Apply the load of a condition, in the group of the tests, so that it has the same share of the CPUs as they."""
    if not condition.load:
        yield
        return
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pytest_twin", "stress", *condition.load, "--duration", "1h"]
        with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              preexec_fn=top.enter) as process:  # noqa: PLW1509 # fmt: skip
            try:
                time.sleep(2)
                if process.poll() is not None:
                    raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
                yield
            finally:
                process.terminate()


def run(item: pytest.Item, condition: Condition, groups: Sequence[Group]) -> int:
    """Run a test in this process; return 0 if it passes."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.setpgid(0, 0)
    if condition.cpus:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: condition.cpus])
    for group in groups:
        group.enter()
    item.config.pluginmanager.unregister(name="terminalreporter")
    outcome = Outcome()
    item.config.pluginmanager.register(outcome)
    item.ihook.pytest_runtest_protocol(item=item, nextitem=None)
    return int(outcome.failed)


class Outcome:
    """A plugin that takes note of a failure."""

    failed = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take note."""
        self.failed |= report.failed


def rows(measurement: Measurement) -> Iterator[dict[str, str]]:
    """Yield a row for each test: its kind, what it does, the mildest condition that breaks it, and all counts.

    A count is "failures/runs". A test that fails idle fails by chance.
    """
    for item in measurement.items:
        counts, rates = {}, {}
        for condition, runs in measurement.conditions.items():
            failures = measurement.failures[item.nodeid, condition.name]
            counts[condition.name] = f"{failures}/{runs * measurement.rounds}"
            rates[condition] = failures / (runs * measurement.rounds)
        chance = rates.get(QUIET[0], 0) > COMMON / 4
        broken = "" if chance else next((each.name for each in SCARCE if rates.get(each, 0) >= COMMON), "")
        yield {
            "test": item.nodeid,
            "kind": str(item.function.__doc__).strip().partition("\n")[0].rstrip("."),  # type: ignore[attr-defined]
            "truth": "by chance" if chance else "breaks" if broken else "holds",
            "mildest": broken,
            **counts,
        }


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", nargs="*", help="another suite: files, and options of pytest behind --")
    parser.add_argument("--rounds", type=int, default=20, help="runs of a test under each condition (%(default)s)")
    parser.add_argument("--quiet-runs", type=int, default=10, help="idle runs in each round (default: %(default)s)")
    parser.add_argument("--shares", type=int, default=20_000,
                        help="weight beside others on this machine, who have 1024 (default: %(default)s)")  # fmt: skip
    parser.add_argument("--only", nargs="+", default=[], metavar="CONDITION", help="only these conditions")
    parser.add_argument("-k", default="", metavar="EXPRESSION", help="only the tests that match, as pytest has it")
    parser.add_argument("-o", "--output", type=Path, help="the table (default: standard output)")
    given = parser.parse_args()
    runs = dict.fromkeys(QUIET, given.quiet_runs) | dict.fromkeys(SCARCE, 1)
    conditions = {each: number for each, number in runs.items() if not given.only or each.name in given.only}
    if os.geteuid() or not Path("/sys/fs/cgroup/cpu/cpu.shares").parent.is_dir():
        raise SystemExit("needs root and the hierarchy cpu of control groups version 1")
    if not conditions:
        parser.error(f"--only: choose from {', '.join(each.name for each in runs)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # removes its groups
    measurement = Measurement(conditions, given.rounds, given.shares)
    flags = ["-q", "-p", "no:twin", "-p", "no:cacheprovider", "-p", "no:faulthandler"]
    suite = given.suite or ["-c", os.devnull, f"--rootdir={FOLDER}", str(FOLDER)]
    pytest.main([*flags, "-k", given.k, *suite], plugins=[measurement])
    table = list(rows(measurement))
    with open(given.output or 1, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(table[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)


if __name__ == "__main__":
    main()
