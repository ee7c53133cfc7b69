"""A recording with the character of a real one passes by itself, and each mutant of it fails the gate meant for it."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
from made_recordings import server

from pytest_twin import read_recording
from pytest_twin.analysis.fidelity.scorecard import compare_recordings

pytest.importorskip("scipy")
BENCHMARK = runpy.run_path(str(Path(__file__).parent.parent / "benchmarks" / "validate_mutants.py"))


@pytest.mark.parametrize("mutant", BENCHMARK["MUTANTS"], ids=lambda mutant: mutant.name)
def test_a_mutant_fails_the_gate_meant_for_it(mutant):
    recorded = server()
    card = compare_recordings(("made", mutant.name), recorded, BENCHMARK["mutated"](recorded, mutant, seed=7))
    assert BENCHMARK["failing"](card, mutant.gates)
    assert card.verdict == "failed"


def test_there_are_enough_mutants():
    assert len(BENCHMARK["MUTANTS"]) >= 19


@pytest.mark.parametrize("name", ["made", "compile", "database", "web"])
def test_two_faithful_replays_seldom_fail(name):
    recorded = server() if name == "made" else read_recording(BENCHMARK["RECORDINGS"] / f"{name}.csv")
    rng = np.random.default_rng(5)
    replays = [BENCHMARK["replay"](recorded, 1.0, 0.05, rng) for _ in range(40)]
    cards = [compare_recordings(("one", "other"), *pair) for pair in zip(replays[::2], replays[1::2], strict=True)]
    assert sum(card.verdict == "failed" for card in cards) <= 1
