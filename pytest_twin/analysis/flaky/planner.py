"""Choose which test to run next, and under which condition, so that most is found in the time that there is.

Every test runs idle and under the harshest CPU quota that is affordable first. After that each possible run has a
value, and the runs with the most value for their expected time are made:

- A pair of test and condition that has not failed yet is drawn by Thompson sampling: its value is a draw from the Beta
  posterior of its failure rate. The prior rises where other tests failed under the condition, and where the expected
  duration comes near a limit of the test.
- After a failure, milder conditions of the family are run, until the mildest that fails is known.
- There the test is run alone, and idle, until the difference is significant. Once a test that takes long has failed
  alone, the further runs of both go on beside those of other tests.
- A test that fails now and then under several conditions is run idle more often, to tell chance from scarcity.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from statistics import median
from typing import NamedTuple

from pytest_twin.analysis.flaky.conditions import (
    COMBINED,
    CPU_LOAD,
    CPU_QUOTA,
    IDLE,
    Condition,
    family_ladders,
)
from pytest_twin.analysis.flaky.tally import FAILED, RunResult, Tally
from pytest_twin.analysis.flaky.verdicts import (
    ALONE_RUNS,
    HOLD_RUNS,
    SIGNIFICANT,
    Pair,
    hold_runs,
    is_apart,
    p_values_of_test,
    q_values,
)
from pytest_twin.analysis.stats.proportions import fisher_p_value

# values of runs; one that surely fails first: 1
FIRST, OPEN, SCREEN, CONFIRM, PROBE, CHANCE = 100.0, 100.0, 30.0, 4.0, 3.0, 1.5
UNTRIED = 0.5  # of a run that a verdict needs, whatever its chance to fail
SCREENING = 0.6  # of the time, after which tests without any run have to wait until others are confirmed
WAVE = 24  # tests of a large suite that are screened before the next ones begin
COST_POWER = 0.7  # of time: below 1, so that slow tests have their turn too
LEAST_SHARE = 1 / 8  # of a run beside others in the time of all
LONG_S = 10.0  # a run that takes longer is repeated beside those of other tests
OVERHEAD_S = 0.15  # of a run, to start the process and the constraint
LOAD_START_S = 1.0  # to start a load and to stop it, once for several runs
BATCH_S, BATCH_RUNS = 10.0, 40  # a batch of runs under one load
PROBES = 3  # passes under a milder condition, after which the harsher one is the mildest that breaks
MARGIN = 0.6  # of the significance, since further pairs make the correction stricter
REFRESH_RUNS = 40  # after which what is known from other tests is taken into account again
PRIOR_RUNS = 1.5  # the weight of the prior, in runs
PRIORS = {CPU_QUOTA: 0.15, COMBINED: 0.12, CPU_LOAD: 0.06}
OTHER_PRIOR = 0.03
MOST_IDLE, MOST_CONFIRM = 60, 24  # runs of one test
RARE = 0.3  # a share of failures that takes many runs to be significant
FIRST_GUESS_S = 1.0  # of an idle run, before there was one


class PlannedRun(NamedTuple):
    """A run to make."""

    test: str
    condition: Condition


class Batch(NamedTuple):
    """Runs to make under one load, in this order.

    Attributes:
        stress: The load, as ``--twin-stress`` has it; empty for none.
        is_parallel: Whether the runs go on at the same time.
        runs: The runs; their constraints may differ.
    """

    stress: str
    is_parallel: bool
    runs: Sequence[PlannedRun]


class _Candidate(NamedTuple):
    run: PlannedRun
    value: float
    is_parallel: bool = False
    times: int = 1
    is_opening: bool = False  # the first run alone of a test that takes long, after which others go on beside it
    cost_s: float = 0.0
    score: float = 0.0

    def at_cost(self, cost_s: float) -> _Candidate:
        """Return the same run with its expected duration and its score."""
        share = max(LEAST_SHARE, self.run.condition.lane_cpus) if self.is_parallel else 1.0
        start_s = LOAD_START_S / 4 if self.run.condition.stress else 0.0
        score = self.value / math.pow(cost_s * share + OVERHEAD_S + start_s, COST_POWER)
        return self._replace(cost_s=cost_s, score=score)

    def at_value(self, value: float) -> _Candidate:
        """Return the same run with another value."""
        return self._replace(value=value, score=self.score * value / self.value)

    @property
    def group(self) -> tuple[str, bool]:
        return self.run.condition.stress, self.is_parallel


class Planner:
    """Chooses the next runs from the results so far.

    Attributes:
        tallies: For each test the runs under each condition.
        ladder: The conditions, the mildest first.
    """

    def __init__(
        self,
        tests: Sequence[str],
        ladder: Sequence[Condition],
        budget_s: float,
        *,
        lanes: int = 8,
        seed: int = 0,
    ) -> None:
        """Prepare the search.

        Args:
            tests: The node IDs of the tests.
            ladder: The conditions without idle, the mildest first.
            budget_s: Seconds for the whole search.
            lanes: The number of tests that may run at the same time.
            seed: Makes the choice repeatable.
        """
        self.tallies: dict[str, dict[Condition, Tally]] = {test: {} for test in tests}
        self.ladder = list(ladder)
        self._limits: dict[str, float] = {}
        self._budget_s = budget_s
        self._random = random.Random(seed)  # noqa: S311 - not for secrets
        self._order = self._random.sample(list(tests), len(tests))
        self._affordable_s = max(5.0, budget_s / 25, lanes * budget_s / (6 * max(1, len(tests))))
        self._figures: dict[str, tuple[int, float, float]] = {}
        self._p_values: dict[Pair, float] = {}
        self._q_values: Mapping[Pair, float] = {}
        self._candidates_of: dict[str, list[_Candidate]] = {}  # as of the last run of the test, or a few runs ago
        self._is_changed, self._added = True, 0
        self._target = SIGNIFICANT
        self._lanes = lanes
        self._opened: set[str] = set()  # tests that take long and have failed alone, until that is significant
        self._rates: Mapping[Condition, float] = {}

    def add(self, run: PlannedRun, result: RunResult) -> None:
        """Take the result of a run into account."""
        self.tallies[run.test].setdefault(run.condition, Tally()).add(result)
        for condition, chance in p_values_of_test(self.tallies[run.test]).items():
            self._p_values[run.test, condition] = chance
        self._candidates_of.pop(run.test, None)
        self._is_changed = True
        self._added += 1
        if self._added % REFRESH_RUNS == 0:
            self._candidates_of.clear()
        if result.outcome == FAILED and run.condition != IDLE and result.is_ended:
            known = self._limits.get(run.test, math.inf)
            self._limits[run.test] = min(known, max(result.duration_s, 0.05))

    def set_limit(self, test: str, seconds: float) -> None:
        """Take a known time limit of a test into account, such as that of pytest-timeout."""
        self._limits[test] = min(self._limits.get(test, math.inf), seconds)
        self._candidates_of.pop(test, None)

    def drop(self, condition: Condition) -> None:
        """Leave out a condition that cannot be applied."""
        self.ladder = [each for each in self.ladder if each != condition]
        self._candidates_of.clear()

    def expected_s(self, test: str, condition: Condition) -> float:
        """Return the expected duration of a run."""
        of_test = self.tallies[test]
        if (tally := of_test.get(condition)) is not None and tally.durations:
            return max(tally.durations)
        idle = of_test.get(IDLE, Tally())
        if not idle.results:
            return FIRST_GUESS_S
        wall, cpu = self._idle_figures(test)
        expected = wall + cpu / condition.cpu_share - cpu
        return min(expected, self._limits.get(test, math.inf) * 1.2 + wall)

    def _idle_figures(self, test: str) -> tuple[float, float]:
        """Return the median duration and CPU time of the runs idle."""
        runs = self.tallies[test][IDLE].results
        if self._figures.get(test, (0, 0.0, 0.0))[0] != len(runs):
            wall = median(each.duration_s for each in runs)
            self._figures[test] = len(runs), wall, median(each.cpu_s or 0.0 for each in runs)
        return self._figures[test][1:]

    def next_batch(self, left_s: float) -> Batch | None:
        """Return the runs to make next; None if no run fits into the time that is left, or none would tell anything."""
        candidates = self._all_candidates(left_s)
        if not candidates:
            return None
        best = max(candidates, key=lambda each: each.score)
        runs: list[PlannedRun] = []
        seconds = 0.0
        for each in sorted(candidates, key=lambda each: -each.score):
            cost_s = each.cost_s * (each.run.condition.lane_cpus if best.is_parallel else each.times)
            if each.group != best.group or each.score < best.score / 3 or (runs and seconds + cost_s > BATCH_S):
                continue
            if best.is_parallel and any(each.run.test == run.test for run in runs):
                continue
            runs += [each.run] * each.times
            seconds += cost_s
            if len(runs) >= BATCH_RUNS:
                break
        if not best.is_parallel:
            self._random.shuffle(runs)  # idle and constrained runs of a test take turns, whatever else changes
        return Batch(*best.group, runs)

    def next_beside(self, stress: str, running: Mapping[PlannedRun, float], left_s: float) -> PlannedRun | None:
        """Return one more run to make beside tests that are running under a load; None if others have more value.

        As long as a run is late nothing can be run alone, so that the value of what ends before it does not matter.

        Args:
            stress: The load.
            running: The runs in progress, and the seconds for which each has gone on.
            left_s: The seconds that are left.
        """
        candidates = self._all_candidates(left_s)
        names = {run.test for run in running}
        beside = [each for each in candidates if each.group == (stress, True) and each.run.test not in names]
        least = max((each.score for each in candidates), default=0.0) / 3
        covered_s = max((self._delay_s(run, lasted_s) for run, lasted_s in running.items()), default=0.0)
        fitting = [each for each in beside if each.score >= least or each.cost_s <= covered_s]
        return max(fitting, key=lambda each: each.score).run if fitting else None

    def _delay_s(self, run: PlannedRun, lasted_s: float) -> float:
        """Return how long a run that is late will still take: half as long again as it has taken; 0 for others."""
        return lasted_s / 2 if lasted_s > self.expected_s(run.test, run.condition) else 0.0

    def _all_candidates(self, left_s: float) -> list[_Candidate]:
        if self._is_changed:
            self._q_values = q_values(self._p_values)
            found = sum(value <= SIGNIFICANT * MARGIN for value in self._q_values.values())
            self._target = SIGNIFICANT * MARGIN * (found + 1) / max(1, len(self._q_values))
            self._rates = self._condition_rates()
            self._is_changed = False
        is_late = left_s < (1 - SCREENING) * self._budget_s
        candidates: list[_Candidate] = []
        screened = 0
        for test in self._order:
            if test not in self._candidates_of:
                self._candidates_of[test] = [
                    each.at_cost(self.expected_s(test, each.run.condition)) for each in self._candidates(test)
                ]
            of_test = [
                self._at_present_value(each, is_late=is_late)
                for each in self._candidates_of[test]
                if each.cost_s <= left_s * 0.9
            ]
            candidates += of_test
            screened += any(each.value >= SCREEN for each in of_test)
            if screened >= WAVE:
                break
        return candidates

    def _at_present_value(self, candidate: _Candidate, *, is_late: bool) -> _Candidate:
        """Return a candidate with the value that it has as long as the other tests are where they are."""
        if is_late and candidate.value >= SCREEN:
            return candidate.at_value(CHANCE)  # other tests have to be confirmed
        if candidate.is_opening and len(self._opened) < self._lanes:
            return candidate.at_value(OPEN)  # they can be confirmed side by side only if there are several
        return candidate

    def _condition_rates(self) -> dict[Condition, float]:
        """Return for each condition the share of tests that failed under it, smoothed by what is usual."""
        rates = {}
        for condition in self.ladder:
            tried = [of_test[condition] for of_test in self.tallies.values() if condition in of_test]
            usual = PRIORS.get(condition.family, OTHER_PRIOR) / (1 + (self._harshest(condition) - condition.severity))
            rates[condition] = (5 * usual + sum(each.is_suspect for each in tried)) / (5 + len(tried))
        return rates

    def _harshest(self, condition: Condition) -> int:
        return max(each.severity for each in self.ladder if each.family == condition.family)

    def _candidates(self, test: str) -> Iterator[_Candidate]:
        self._opened.discard(test)
        of_test = self.tallies[test]
        idle = of_test.get(IDLE, Tally())
        if not idle.results:
            yield _Candidate(PlannedRun(test, IDLE), FIRST)
            return
        if idle.is_skipped:
            return
        if not idle.passes:
            if idle.failures < ALONE_RUNS:
                yield _Candidate(PlannedRun(test, IDLE), FIRST / 2, times=ALONE_RUNS - idle.failures)
            return
        breaking = {each for each in of_test if self._is_breaking(test, each)}
        for ladder in family_ladders(self.ladder).values():
            is_other = bool(breaking) and not breaking & set(ladder)
            for each in self._family_candidates(test, ladder, breaking):
                yield each._replace(value=each.value * (0.1 if is_other else 1.0))
        yield from self._idle_candidates(test, breaking)

    def _is_breaking(self, test: str, condition: Condition) -> bool:
        of_test = self.tallies[test]
        is_significant = self._q_values.get((test, condition), 1.0) <= SIGNIFICANT * MARGIN
        return is_significant and is_apart(of_test[condition], of_test[IDLE])

    def _family_candidates(
        self, test: str, ladder: Sequence[Condition], breaking: AbstractSet[Condition]
    ) -> Iterator[_Candidate]:
        """Yield the runs under conditions of one family, the mildest first."""
        of_test = self.tallies[test]
        failing = [each for each in ladder if of_test.get(each, Tally()).is_suspect]
        failing = [each for each in failing if not self._is_refuted(of_test[each])]
        if not failing:
            yield from self._exploration(test, ladder)
            return
        mildest = failing[0]
        is_known = bool(breaking & set(ladder))
        probe = _probe(of_test, ladder, mildest)
        if probe is not None:
            yield _Candidate(PlannedRun(test, probe), PROBE * (0.5 if is_known else 1.0), is_parallel=True)
        for condition in failing[:2]:
            if condition in breaking:
                break
            tally = of_test[condition]
            is_rare = tally.runs >= 4 and tally.failures < RARE * tally.runs
            if not self._is_hopeless(of_test, condition):
                weight = (0.3 if is_rare else 1.0) * (0.5 if is_known else 1.0)
                yield from self._confirmation(test, condition, weight, is_mildest=probe is None)
            if not is_rare:
                break
        else:
            if failing[-1] == mildest and mildest not in breaking:  # it fails rarely: harsher ones may fail often
                yield from self._exploration(test, ladder[ladder.index(mildest) + 1 :])

    def _exploration(self, test: str, ladder: Sequence[Condition]) -> Iterator[_Candidate]:
        """Yield the run under the harshest condition that is affordable, and the next harsher one after it passed."""
        of_test = self.tallies[test]
        if not ladder:
            return
        affordable = [each for each in ladder if self.expected_s(test, each) <= self._affordable_s] or ladder[:1]
        tried = [each for each in ladder if each in of_test and of_test[each].runs]
        screen = max([affordable[-1], *tried], key=lambda each: each.severity)
        is_quota = screen.family == CPU_QUOTA or all(each.family != CPU_QUOTA for each in self.ladder)
        value = self._draw(test, screen)
        known = of_test.get(screen, Tally()).runs
        if not known:
            value = SCREEN if is_quota else max(value, UNTRIED)
        elif is_quota and hold_runs(of_test, screen) < HOLD_RUNS:
            value = max(value, UNTRIED)
        yield _Candidate(PlannedRun(test, screen), value, is_parallel=True)
        if known and screen != ladder[-1]:
            harsher = ladder[ladder.index(screen) + 1]
            yield _Candidate(PlannedRun(test, harsher), self._draw(test, harsher), is_parallel=True)

    def _draw(self, test: str, condition: Condition) -> float:
        """Return a draw from the posterior of the failure rate of a test under a condition."""
        tally = self.tallies[test].get(condition, Tally())
        mean = min(0.95, self._rates[condition] * self._nearness(test, condition))
        return self._random.betavariate(
            PRIOR_RUNS * mean + tally.failures + tally.hints, PRIOR_RUNS * (1 - mean) + tally.passes
        )

    def _nearness(self, test: str, condition: Condition) -> float:
        """Return how much likelier a failure is because of the durations of a test: 1 for the usual chance."""
        wall, cpu = self._idle_figures(test)
        waits = 2.0 if wall > 3 * cpu + 0.05 else 1.0  # it waits for something: perhaps with a limit
        limit = self._limits.get(test)
        if limit is None:
            return waits
        return waits * (4.0 if wall + cpu / condition.cpu_share - cpu > 0.7 * limit else 0.7)

    @staticmethod
    def _is_refuted(tally: Tally) -> bool:
        """Return whether a failure beside other tests did not repeat itself alone."""
        return tally.failures == 0 and tally.runs >= PROBES + 1

    def _is_hopeless(self, of_test: Mapping[Condition, Tally], condition: Condition) -> bool:
        """Return whether more runs will hardly show that a test fails more often than idle."""
        tally, idle = of_test[condition], of_test[IDLE]
        if tally.runs < 6 or not tally.failures:
            return False
        rate, base = tally.failures / tally.runs, idle.failures / idle.runs
        return tally.runs >= MOST_CONFIRM or base > 0.5 * rate or (tally.runs >= 12 and rate < RARE)

    def _confirmation(
        self, test: str, condition: Condition, weight: float, *, is_mildest: bool
    ) -> Iterator[_Candidate]:
        """Yield runs alone under a condition, and idle, whichever lowers the p-value more for its time."""
        tally, idle = self.tallies[test].get(condition, Tally()), self.tallies[test][IDLE]
        if not tally.is_suspect:
            return
        value = CONFIRM * weight
        is_long = self.expected_s(test, condition) >= LONG_S
        times = 2 if self.expected_s(test, condition) < BATCH_S / 4 else 1
        if not tally.failures:
            is_opening = is_long and is_mildest and condition.family == CPU_QUOTA
            yield _Candidate(PlannedRun(test, condition), value, times=times, is_opening=is_opening)
            return
        now = _log_p_value(tally, idle)
        if now <= math.log(self._target) and is_apart(tally, idle):
            return
        if is_parallel := is_long and condition.family == CPU_QUOTA:
            self._opened.add(test)
        rate = (tally.failures + 0.5) / (tally.runs + 1)
        gains = (
            rate * (now - _log_p_value(tally, idle, failures=2, is_alone=not is_parallel)),
            now - _log_p_value(tally, idle, idle_passes=2, is_alone=not is_parallel),
        )
        under, without = (
            gain / (self.expected_s(test, each) + OVERHEAD_S) / (each.lane_cpus if is_parallel else 1.0)
            for gain, each in zip(gains, (condition, IDLE), strict=True)
        )
        if under >= without or idle.runs >= MOST_IDLE:
            yield _Candidate(PlannedRun(test, condition), value, is_parallel, times)
        if without > 0.5 * under and idle.runs < MOST_IDLE:
            yield _Candidate(PlannedRun(test, IDLE), value, is_parallel, 1 if is_parallel else 2)

    def _idle_candidates(self, test: str, breaking: AbstractSet[Condition]) -> Iterator[_Candidate]:
        """Yield idle runs of a test that may fail by chance, until that is known."""
        of_test = self.tallies[test]
        idle = of_test[IDLE]
        if breaking or idle.runs >= MOST_IDLE:
            return
        if idle.failures:
            if idle.runs < 12:
                yield _Candidate(PlannedRun(test, IDLE), CHANCE / 2)
            return
        failed = [each for condition, each in of_test.items() if condition != IDLE and each.is_suspect]
        hints = 0 if self.expected_s(test, IDLE) >= LONG_S else sum(each.hints for each in failed)
        failures, runs = hints + sum(each.failures for each in failed), sum(len(each.results) for each in failed)
        if failures and (1 - failures / (runs + 1)) ** idle.runs > 0.002:
            yield _Candidate(PlannedRun(test, IDLE), CHANCE, times=3)


def _log_p_value(tally: Tally, idle: Tally, *, failures: int = 0, idle_passes: int = 0, is_alone: bool = True) -> float:
    """Return the logarithm of the p-value after so many more failures of the test, and passes idle."""
    group, base = [tally.beside, tally.alone], [idle.beside, idle.alone]
    group[is_alone] = group[is_alone].plus(failures, failures)
    base[is_alone] = base[is_alone].plus(0, idle_passes)
    return math.log(max(fisher_p_value(*zip(group, base, strict=True)), 1e-12))


def _probe(of_test: Mapping[Condition, Tally], ladder: Sequence[Condition], mildest: Condition) -> Condition | None:
    """Return the condition, milder than the mildest that failed, to run next; None if the mildest is known."""
    milder = ladder[: ladder.index(mildest)]
    passed = [at for at, each in enumerate(milder) if of_test.get(each, Tally()).runs]
    between = milder[passed[-1] + 1 :] if passed else milder
    if between:
        return between[len(between) // 2]
    is_open = bool(milder) and of_test[milder[-1]].runs < PROBES
    return milder[-1] if is_open else None
