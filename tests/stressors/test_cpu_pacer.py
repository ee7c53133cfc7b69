"""The pacer of a worker's CPU seconds, on a machine whose clocks are ours."""

from __future__ import annotations

import pytest

from pytest_twin.stressors.kinds import _cpu_pacer
from pytest_twin.stressors.kinds._cpu_pacer import LARGEST_CREDIT_S, LARGEST_DEBT_S, SLICE_S, CpuPacer
from pytest_twin.stressors.spec.request import LoadRequest
from pytest_twin.stressors.worker.job import Job

BURN_S = 50e-6


class Machine:
    """Clocks that go on when something burns or sleeps; others may take a part of the CPU."""

    def __init__(self, monkeypatch):
        self.now_s = self.cpu_s = 0.0
        self.ours = 1.0  # of the CPU, while we want it
        self.longest_sleep = 0.0
        monkeypatch.setattr(_cpu_pacer.time, "process_time", lambda: self.cpu_s)
        monkeypatch.setattr(_cpu_pacer.time, "sleep", self.sleep)
        self.job = Job(LoadRequest(unit="share", profile=[(0, 1)]))
        monkeypatch.setattr(self.job, "now", lambda: self.now_s)
        self.pacer = CpuPacer(self.job, self.burn)

    def burn(self):
        self.now_s += BURN_S / self.ours
        self.cpu_s += BURN_S

    def sleep(self, seconds):
        self.longest_sleep = max(self.longest_sleep, seconds)
        self.now_s += seconds + 60e-6  # woken a little late

    def hold(self, cores, seconds):
        """Hold a number of cores; how many CPU seconds that took."""
        until, before = self.now_s + seconds, self.cpu_s
        while self.now_s < until:
            self.pacer.burn_slice(cores)
        return self.cpu_s - before


@pytest.fixture
def machine(monkeypatch):
    return Machine(monkeypatch)


@pytest.mark.parametrize("cores", [0.001, 0.1, 0.5, 0.9, 0.99])
def test_what_is_due_is_burnt_to_the_slice(machine, cores):
    assert machine.hold(cores, 3) == pytest.approx(3 * cores, abs=10 * SLICE_S)


def test_each_tenth_of_a_second_has_its_part(machine):
    spent = [machine.hold(0.5, 0.1) for _ in range(50)]
    assert max(abs(each - 0.05) for each in spent) < 2 * SLICE_S


def test_nothing_due_is_slept_through(machine):
    assert machine.hold(0.0, 1) == 0.0
    assert 0 < machine.longest_sleep <= 1.5 * SLICE_S + 1e-9


def test_a_whole_core_never_sleeps(machine):
    assert machine.hold(1.0, 1) == pytest.approx(1.0, abs=10 * SLICE_S)


def test_what_others_took_for_a_moment_is_made_up_for(machine):
    machine.ours = 0.4
    before = machine.hold(0.5, 0.5)
    machine.ours = 1.0
    assert before + machine.hold(0.5, 1.5) == pytest.approx(1.0, abs=0.02)


def test_what_others_took_for_long_is_not(machine):
    machine.ours = 0.1
    machine.hold(0.5, 10)
    machine.ours = 1.0
    assert machine.hold(0.5, 1) <= 0.5 + LARGEST_DEBT_S + 0.02


def test_what_others_burn_in_its_place_is_left_out(machine):
    for _ in range(10):  # they report five times a second
        machine.pacer.burn_slice(0.5, paid_s=0.04)
        machine.hold(0.5, 0.2)
    assert machine.cpu_s == pytest.approx(0.6, abs=0.05)


def test_what_others_burn_beyond_what_is_due_is_made_up_for_within_limits(machine):
    machine.pacer.burn_slice(0.5, paid_s=100.0)
    assert machine.hold(0.5, LARGEST_CREDIT_S / 0.5) == pytest.approx(0.0, abs=2 * SLICE_S)
    assert machine.hold(0.5, 1) == pytest.approx(0.5, abs=10 * SLICE_S)
