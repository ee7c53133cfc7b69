"""Other days of the same kind."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_recordings import recording, server

pytest.importorskip("scipy")
pytest.importorskip("ruptures")
from fitted_targets import target_of_rows

from pytest_twin.analysis.fit.phases import FitOptions, fit_phases
from pytest_twin.analysis.fit.variants import find_variants, measure_variant

SECONDS = 600
SERVER = server(SECONDS)


@pytest.fixture(scope="module")
def fit():
    return fit_phases(SERVER, FitOptions())


def variants(fit, count, seed):
    return find_variants(fit, count, seed, SERVER, target_of_rows(SECONDS))


def test_they_are_different_and_the_same_for_the_same_seed(fit):
    first, again, other = (variants(fit, 4, seed) for seed in (7, 7, 8))
    assert [each.fit.phases for each in first] == [each.fit.phases for each in again]
    assert len({str(each.fit.phases) for each in (*first, *other)}) == 8


def test_all_resources_of_a_phase_move_together_and_the_day_is_as_long(fit):
    levels = {str(phase.levels) for phase in fit.phases}
    for each in variants(fit, 4, 1):
        assert {str(phase.levels) for phase in each.fit.phases} <= levels
        ends = [phase.start_s + phase.duration_s for phase in each.fit.phases]
        assert ends[:-1] == pytest.approx([phase.start_s for phase in each.fit.phases[1:]])
        assert ends[-1] == SECONDS


def test_they_are_like_the_recording(fit):
    assert all(each.figures.passes for each in variants(fit, 4, 1))


def test_what_is_no_day_of_the_kind_is_told_by_its_figure():
    rng = np.random.default_rng(1)
    same = measure_variant(SERVER, SERVER)
    assert same == pytest.approx((0, 0, 0))
    scaled = measure_variant(SERVER, replace(SERVER, frame=SERVER.frame * 1.4))
    assert scaled.distance > 5
    assert scaled.autocorrelation < 0.2
    shuffled = measure_variant(SERVER, replace(SERVER, frame=SERVER.frame.iloc[rng.permutation(SECONDS)]))
    assert (shuffled.distance, shuffled.coupling) == pytest.approx((0, 0))
    rolled = SERVER.frame.assign(mem=np.roll(SERVER.frame["mem"], SECONDS // 3))
    moved = measure_variant(SERVER, replace(SERVER, frame=rolled))
    assert moved.coupling > 0.2
    assert not scaled.passes
    assert not moved.passes


def test_gaps_and_constant_resources_are_left_out():
    cpu = np.sin(np.arange(200) / 9) / 4 + 0.5
    gaps = cpu.copy()
    gaps[40:60] = np.nan
    figures = measure_variant(recording(cpu=gaps, mem=np.full(200, 0.3)), recording(cpu=cpu, mem=np.full(200, 0.3)))
    assert figures.autocorrelation < 0.05
    assert figures.passes
