"""How far a fit is from its recording."""

from __future__ import annotations

import numpy as np
import pytest
from made_recordings import recording

pytest.importorskip("ruptures")
from fitted_targets import target_of_rows

from pytest_twin.analysis.fidelity.gates import FAILED, PASSED, FidelityGates
from pytest_twin.analysis.fit.judgement import averaged, judge_fit
from pytest_twin.analysis.fit.phases import FitOptions, fit_phases


def judged(cpu, options=FitOptions()):  # noqa: B008 - it is frozen
    made = recording(cpu=np.clip(cpu, 0, 1))
    return judge_fit("it", made, fit_phases(made, options), options, FidelityGates(), target_of_rows(len(cpu)))


def regimes(count=12_000):
    at = np.arange(count) / count
    return np.interp(at, [0, 0.2, 0.2001, 0.4, 0.6, 0.9, 1], [0.1, 0.1, 0.7, 0.7, 0.2, 0.45, 0.45])


def test_what_has_few_regimes_passes_on_the_half_that_was_not_seen():
    judgement = judged(regimes() + np.random.default_rng(2).normal(0, 0.01, 12_000))
    assert (judgement.held_out.verdict, judgement.whole.verdict, judgement.passing_s) == (PASSED, PASSED, 1)


def test_noise_of_single_values_fails_in_short_intervals_and_passes_in_longer_ones():
    judgement = judged(regimes() + np.random.default_rng(2).normal(0, 0.035, 12_000))
    assert judgement.held_out.verdict == FAILED
    assert judgement.passing_s == 10


def test_pure_noise_passes_nowhere_although_many_events_may_be_made():
    judgement = judged(np.random.default_rng(2).uniform(0, 1, 2000), FitOptions(100, 0.0))
    skill = {verdict.gate.name: verdict for verdict in judgement.held_out.resources[0].verdicts}["skill"]
    assert (skill.verdict, judgement.passing_s) == (FAILED, None)
    assert skill.value < 0.1


def test_means_are_taken_of_what_is_known():
    values = np.array([1.0, 3.0, np.nan, 5.0, np.nan, np.nan])
    coarse = averaged(recording(cpu=values), 2.0)
    assert coarse.interval_s == 2
    assert list(coarse.frame.index) == [2, 4, 6]
    assert coarse.frame["cpu"].to_list()[:2] == [2, 5]
    assert np.isnan(coarse.frame["cpu"].iloc[2])
