"""A simulated machine that makes the runs of a search: tests with known failure rates, and no waiting."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from pytest_twin.analysis.flaky.conditions import CPU_QUOTA, conditions
from pytest_twin.analysis.flaky.planner import LOAD_START_S, OVERHEAD_S, Planner
from pytest_twin.analysis.flaky.tally import FAILED, PASSED, RunResult
from pytest_twin.analysis.flaky.verdicts import judge

CPUS = 2
LANES_CPU = 1.0  # of quotas at the same time


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
    """A search on the simulated machine, made by `simulate`."""

    planner: Planner
    verdicts: dict[str, object]
    runs: int
    seconds: float


def simulate(tests, budget_s, seed=0):
    """Search until the time is over, and return what was found."""
    chance = random.Random(f"machine {seed}")
    planner = Planner(list(tests), conditions(CPUS), budget_s, seed=seed)
    clock, runs = 0.0, 0

    def run(planned, is_alone):
        nonlocal runs
        runs += 1
        test = tests[planned.test]
        seconds = test.duration_s(planned.condition) * chance.uniform(0.9, 1.2)
        outcome = FAILED if chance.random() < test.failure_rate(planned.condition) else PASSED
        planner.add(planned, RunResult(outcome, is_alone, seconds, test.cpu_s, peak_bytes=50 << 20))
        return seconds + OVERHEAD_S

    while (batch := planner.next_batch(budget_s - clock)) is not None:
        clock += LOAD_START_S if batch.stress else 0.0
        if batch.is_parallel:
            seconds = [run(each, is_alone=False) for each in batch.runs]
            share = sum(each.condition.lane_cpus for each in batch.runs)
            clock += max(*seconds, sum(seconds) / min(8, len(seconds), LANES_CPU * len(seconds) / share))
        else:
            for each in batch.runs:
                clock += run(each, is_alone=True)
    verdicts = {verdict.nodeid: verdict for verdict in judge(planner.tallies, planner.ladder)}
    return SimulatedSearch(planner, verdicts, runs, clock)
