"""A simulated machine that makes the runs of a search: tests with known failure rates, and no waiting."""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass, field

from pytest_twin.analysis.flaky.conditions import CPU_QUOTA, conditions
from pytest_twin.analysis.flaky.planner import LOAD_START_S, OVERHEAD_S, Planner
from pytest_twin.analysis.flaky.tally import FAILED, PASSED, RunResult
from pytest_twin.analysis.flaky.verdicts import judge

CPUS = 2
LANES, LANES_CPU = 8, 1.0  # runs at the same time, and the sum of their quotas


@dataclass
class SimulatedTest:
    """A test with the failure rate that it has under each condition.

    Attributes:
        wall_s: Its duration idle.
        cpu_s: Its CPU time.
        rate: The failure rate idle, and under everything that does not break it.
        breaks_at: The quota from which on it fails.
        families: Other families that break it at all severities, with the rate.
        broken_rate: The failure rate from that quota on.
    """

    wall_s: float = 0.2
    cpu_s: float = 0.05
    rate: float = 0.0
    breaks_at: float = 0.0
    broken_rate: float = 1.0
    families: dict[str, float] = field(default_factory=dict)

    def failure_rate(self, condition):
        if condition.family == CPU_QUOTA and condition.quota <= self.breaks_at:
            return self.broken_rate
        return max(self.rate, self.families.get(condition.family, 0.0))

    def duration_s(self, condition):
        return self.wall_s + self.cpu_s / condition.cpu_share - self.cpu_s


@dataclass
class SimulatedSearch:
    """A search on the simulated machine.

    Attributes:
        tests: The tests.
        budget_s: The time that it has.
        seed: Makes it repeatable.
        planner: Chooses the runs.
        clock_s: The time that it took.
        runs: The number of runs.
    """

    tests: dict[str, SimulatedTest]
    budget_s: float
    seed: int = 0
    clock_s: float = 0.0
    runs: int = 0

    def __post_init__(self):
        self.planner = Planner(list(self.tests), conditions(CPUS), self.budget_s, seed=self.seed)
        self._chance = random.Random(f"machine {self.seed}")

    @property
    def verdicts(self):
        return {verdict.nodeid: verdict for verdict in judge(self.planner.tallies, self.planner.ladder)}

    def run(self):
        """Search until the time is over."""
        while (batch := self.planner.next_batch(self.budget_s - self.clock_s)) is not None:
            self.clock_s += LOAD_START_S if batch.stress else 0.0
            if batch.is_parallel:
                self._run_beside(batch)
            else:
                self._run_alone(batch)

    def _run_alone(self, batch):
        for each in batch.runs:
            seconds = self._duration_s(each)
            self.clock_s += seconds + OVERHEAD_S
            if self.clock_s >= self.budget_s:
                return  # what is running is not counted
            self._add(each, seconds, is_alone=True)

    def _run_beside(self, batch):
        """Run a batch in lanes, and what the planner adds to it."""
        waiting, lanes = list(batch.runs), []
        while True:
            if not waiting:
                running = {planned: self.clock_s - began for _, began, _, planned in lanes}
                more = self.planner.next_beside(batch.stress, running, self.budget_s - self.clock_s)
                waiting += [more] if more is not None else []
            used = sum(planned.condition.lane_cpus for *_, planned in lanes)
            if waiting and len(lanes) < LANES and used + waiting[0].condition.lane_cpus <= LANES_CPU + 1e-9:
                seconds = self._duration_s(planned := waiting.pop(0))
                heapq.heappush(lanes, (self.clock_s + seconds + OVERHEAD_S, self.clock_s, seconds, planned))
            elif not lanes:
                return
            else:
                self.clock_s, _, seconds, planned = heapq.heappop(lanes)
                if self.clock_s >= self.budget_s:
                    return
                self._add(planned, seconds, is_alone=False)

    def _duration_s(self, planned):
        return self.tests[planned.test].duration_s(planned.condition) * self._chance.uniform(0.9, 1.2)

    def _add(self, planned, seconds, *, is_alone):
        test = self.tests[planned.test]
        outcome = FAILED if self._chance.random() < test.failure_rate(planned.condition) else PASSED
        self.planner.add(planned, RunResult(outcome, is_alone, seconds, test.cpu_s, peak_bytes=50 << 20))
        self.runs += 1


def simulate(tests, budget_s, seed=0):
    """Search until the time is over, and return what was found."""
    search = SimulatedSearch(tests, budget_s, seed)
    search.run()
    return search
