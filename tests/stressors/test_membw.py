"""The stressor of memory bandwidth."""

from __future__ import annotations

import re

import pytest
from driving import ended, is_kept

from pytest_twin.stressors.kinds import membw
from pytest_twin.stressors.kinds.membw import CHUNK, last_level_caches
from pytest_twin.stressors.spec.request import LoadRequest
from pytest_twin.stressors.system.capacity import MIB
from pytest_twin.stressors.worker.job import Job

MEMBW = {"module": "pytest_twin.stressors.kinds.membw"}


def test_it_runs_from_a_bare_checkout_and_says_what_it_did(run):
    status, said, errors = run("membw_stress.py", "--rate_mb", 50, "--duration", 0.5)
    assert (status, errors) == (int("failed" in said), "")
    assert re.match(rf"{(name := 'memory-bandwidth load')} ready: 1 process\(es\)\n{name} {ended('duration')}: ", said)


def test_a_rate_is_held_and_what_was_asked_is_told_beside_it(supervisor):
    def copied() -> float:
        supervisor.applied(**MEMBW, unit="bytes/s", profile=[[0, 50e6]], duration=1.5)
        achieved = supervisor.hear()["achieved"]
        assert achieved["cpu_s"] > 0
        return achieved["copied_bytes"] / achieved["asked_copied_bytes"]

    assert is_kept(copied, within=0.3)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with the caches of the test's choice: (cpu, level, size, who shares it)."""

    def has(*caches: tuple[int, int, str, str]) -> None:
        for number, (cpu, level, size, shared) in enumerate(caches):
            folder = tmp_path / f"cpu{cpu}" / "cache" / f"index{number}"
            folder.mkdir(parents=True)
            for name, value in (("level", level), ("size", size), ("shared_cpu_list", shared)):
                (folder / name).write_text(f"{value}\n")

    monkeypatch.setattr(membw, "CPUS", str(tmp_path))
    return has


def test_last_level_caches_count_once_each(machine):
    machine((0, 1, "48K", "0"), (0, 3, "32768K", "0-1"), (1, 3, "32768K", "0-1"), (2, 3, "32M", "2-3"))
    assert last_level_caches() == 64 * MIB


def test_a_machine_that_does_not_tell_of_its_caches_gets_a_large_buffer(machine):
    assert last_level_caches() == membw.DEFAULT_CACHE


def test_the_buffers_of_all_workers_together_are_larger_than_the_caches(machine):
    machine((0, 3, "48M", "0-1"))
    job = Job(LoadRequest(unit="max", profile=[(0, 0)]))
    job.workers = 2
    assert len(membw._buffer(job)) * CHUNK * job.workers >= 2 * 48 * MIB


def test_every_block_is_copied_from_one_half_to_the_other():
    chunks = [memoryview(bytearray(bytes([number]) * CHUNK)) for number in range(4)]
    copy = membw._copying(chunks)
    assert sum(next(copy) for _ in range(2 * CHUNK // membw.BLOCK)) == 2 * CHUNK
    assert [chunk[-1] for chunk in chunks] == [0, 1, 0, 1]


def test_memory_that_others_need_is_left_to_them(machine, monkeypatch):
    monkeypatch.setattr(membw, "available_memory", lambda: 600 * MIB)
    monkeypatch.setattr(membw, "usable_memory", lambda: 10240 * MIB)
    with pytest.raises(OSError, match="reserved") as caught:
        membw.stress(Job(LoadRequest(unit="max", profile=[(0, 0)])))
    assert str(caught.value) == (
        "needs 128 MiB of memory, twice the size of the caches; 512 MiB are reserved for other processes"
    )


def test_more_than_one_worker_manages_is_shared(monkeypatch):
    monkeypatch.setattr(membw, "usable_cpus", lambda: 4.0)
    assert membw.workers(Job(LoadRequest(unit="bytes/s", profile=[(0, 5e9)]))) == 3
    assert membw.workers(Job(LoadRequest(unit="max", profile=[(0, 0)]))) == 4
