"""What a CPU load burns its time with."""

from __future__ import annotations

import time
import tracemalloc

import pytest

from pytest_twin.stressors.kinds import _cpu_methods, cpu, cpu_total
from pytest_twin.stressors.kinds._cpu_methods import METHODS, burner
from pytest_twin.stressors.spec.request import LoadRequest
from pytest_twin.stressors.worker.job import Job


def job(**options):
    made = Job(LoadRequest(unit="share", profile=[(0, 0.5)], options=options))
    made.workers = 4
    return made


@pytest.mark.parametrize("method", METHODS)
def test_a_method_takes_next_to_no_time_a_call(method):
    burn = burner(job(method=method))
    took = []
    for _ in range(50):
        before = time.thread_time()
        burn()
        took.append(time.thread_time() - before)
    assert 0 < min(took) < 0.002


@pytest.mark.parametrize("method", METHODS)
def test_a_method_keeps_no_memory_from_call_to_call(method):
    burn = burner(job(method=method))
    tracemalloc.start()
    try:
        for _ in range(100):
            burn()
        assert tracemalloc.get_traced_memory()[0] < 20_000
    finally:
        tracemalloc.stop()


def test_whole_numbers_are_the_default():
    assert burner(job()).func is burner(job(method="int")).func


def test_memory_is_not_taken_where_there_is_none(monkeypatch):
    monkeypatch.setattr(_cpu_methods, "available_memory", lambda: 100 << 20)
    with pytest.raises(OSError, match=r"^method memory needs 64 MiB per worker; only 100 MiB are available$"):
        burner(job(method="memory"))


@pytest.mark.parametrize("stressor", [cpu, cpu_total])
def test_every_load_of_the_cpu_has_methods(stressor):
    assert "method" in stressor.KIND.modifiers
