"""What the loads of a replay use of the CPU is taken out of its CPU load."""

from __future__ import annotations

import os
import sys

import pytest

from pytest_twin.stressors.spec.request import BESIDE, REPLAY, LoadRequest
from pytest_twin.stressors.supervisor.replay_cpu import ReplayCpu
from pytest_twin.stressors.worker import shared_counters
from pytest_twin.stressors.worker.job import Job

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
CPU, BANDWIDTH = "pytest_twin.stressors.kinds.cpu", "pytest_twin.stressors.kinds.membw"


def request(module, replay="e1", **fields):
    options = {REPLAY: replay} if replay else {}
    return LoadRequest(module=module, unit="share", profile=[(0, 0.5)], options=options, **fields)


@posix
def test_a_number_is_seen_by_a_fork():
    shared_counters.write(3, 1.25)
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        os.write(writer, repr(shared_counters.read(3)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 99) == b"1.25"
    os.close(reader)
    os.close(writer)


@posix
def test_the_cpu_load_of_a_replay_is_told_what_its_other_loads_use():
    replays = ReplayCpu()
    replays.update(request(BANDWIDTH, id="a"), 1.0)
    number = replays.counter(request(CPU))
    assert shared_counters.read(number) == 1.0
    replays.update(request(BANDWIDTH, id="b"), 0.5)
    replays.update(request(BANDWIDTH, id="a"), 2.0)
    assert shared_counters.read(number) == 2.5


@posix
def test_other_replays_other_loads_and_the_cpu_load_itself_do_not_count():
    replays = ReplayCpu()
    number = replays.counter(request(CPU))
    assert replays.counter(request(CPU, "e2")) != number
    for other in (request(BANDWIDTH, "e2"), request(BANDWIDTH, ""), request(CPU)):
        replays.update(other, 5.0)
    assert shared_counters.read(number) == 0.0
    assert replays.counter(request(CPU, "")) is None
    assert replays.counter(request(BANDWIDTH)) is None


@posix
def test_more_replays_than_there_are_counters_are_left_alone():
    replays = ReplayCpu()
    numbers = [replays.counter(request(CPU, f"e{at}")) for at in range(shared_counters.COUNT + 1)]
    assert None not in numbers[:-1]
    assert numbers[-1] is None
    replays.clear()
    assert replays.counter(request(CPU, "again")) == 0


def test_what_was_used_beside_counts_as_the_workers_own():
    job = Job(LoadRequest(unit="share", profile=[(0, 0.5)], options={BESIDE: 2}), workers=4)
    shared_counters.write(2, 2.0)
    assert job.used_beside() == 0.5
    assert job.used_beside() == 0.0
    before = job.achieved.get("cpu_s", 0.0)
    job.report()
    assert job.achieved["cpu_s"] >= before + 0.5


def test_a_load_of_no_replay_has_nothing_beside_it():
    assert Job(LoadRequest(unit="share", profile=[(0, 0.5)])).used_beside() == 0.0


@posix
def test_the_loads_of_a_replay_make_its_cpu_load_smaller(supervisor, eventually):
    replay = {"options": {REPLAY: "e1"}}
    supervisor.apply("e1/membw", module=BANDWIDTH, unit="max", profile=[[0, 0]], **replay)
    assert supervisor.hear()["event"] == "ready"
    supervisor.apply("e1/cpu", module=CPU, unit="share", profile=[[0, 0], [1e6, 0]], **replay)
    assert supervisor.hear()["event"] == "ready"
    eventually(lambda: supervisor.achieved("e1/cpu")["cpu_s"] > 0.5)  # it burns nothing itself
