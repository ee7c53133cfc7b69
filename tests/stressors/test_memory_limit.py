"""The memory stressor below a limit that the kernel really enforces; only where this process may make groups."""

from __future__ import annotations

import os
import re
import signal
import sys

import pytest

from pytest_twin.stressors.system.capacity import MIB

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="cgroups")
MEMORY = {"module": "pytest_twin.stressors.kinds.mem", "unit": "bytes"}
NEEDY = "block = b'x' * (400 << 20); print('there', flush=True); time.sleep(600)"


@pytest.fixture
def limited(group, supervisor):
    """The supervisor, below a limit of 512 MiB."""
    group.limit(memory=512 * MIB)
    group.take(supervisor.process.pid)
    return supervisor


@pytest.mark.fault("memory")
def test_a_load_that_is_too_large_is_reduced_and_nothing_is_killed(group, limited):
    limited.applied(**MEMORY, profile=[[0, 1024 * MIB]])
    achieved = limited.stopped()["achieved"]
    assert 150 * MIB < achieved["peak_bytes"] <= (256 + 8) * MIB  # two workers may take a block each at the same time
    words = (
        r"requested 1024 MiB; (?:a worker )?allocated (\d+) (?:of its \d+ )?MiB "  # on one CPU there is one worker
        r"\(512 MiB usable, 256 MiB reserved for other processes\)"
    )
    assert 0 < int(re.fullmatch(words, achieved["reduced"])[1]) <= achieved["peak_bytes"] // MIB
    assert group.oom_kills() == 0


def test_loads_that_grow_at_the_same_time_leave_the_reserve(group, limited):
    for name in ("one", "two"):
        limited.apply(name, **MEMORY, profile=[[0, 1024 * MIB]])
    assert {limited.hear()["event"] for _ in range(2)} == {"ready"}
    achieved = [limited.stopped(name)["achieved"] for name in ("one", "two")]
    within = 256 * MIB + 128 * MIB  # each worker may have a block on the way: most of the reserve must be left
    assert 150 * MIB < sum(each["peak_bytes"] for each in achieved) <= within
    assert all("reduced" in each for each in achieved)
    assert group.oom_kills() == 0


def test_a_strict_load_that_is_too_large_is_refused_before_anything_is_filled(limited):
    limited.apply(**MEMORY, profile=[[0, 1024 * MIB]], options={"strict": True})
    over = limited.hear()
    assert (over["event"], over["began"], over["achieved"]) == ("abort", None, {})
    assert over["reason"].startswith("cannot start: requested 1024 MiB; only 2")
    assert over["reason"].endswith(" MiB are available (512 MiB usable, 256 MiB reserved for other processes)")


@pytest.mark.fault("memory")
def test_who_needs_the_memory_takes_it_from_the_load(group, limited):
    (worker,) = limited.applied(**MEMORY, profile=[[0, 200 * MIB]])["pids"]
    needy = group.start(NEEDY)
    over = limited.hear()
    assert over["reason"] == f"worker {worker} killed by SIGKILL, probably out of memory"
    assert (over["event"], over["achieved"]["peak_bytes"]) == ("abort", 200 * MIB)
    assert needy.stdout.readline() == "there\n"
    assert group.oom_kills() == 1


def test_a_worker_that_was_killed_otherwise_did_not_want_for_memory(limited):
    (worker,) = limited.applied(**MEMORY, profile=[[0, MIB]])["pids"]
    os.kill(worker, signal.SIGKILL)
    assert limited.hear()["reason"] == f"worker {worker} killed by SIGKILL"
