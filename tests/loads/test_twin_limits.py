"""What tests may use of this machine, so that they have as much as on another one."""

from __future__ import annotations

import pytest

from pytest_twin.loads.twin.machine import Machine, machine_of
from pytest_twin.loads.twin.machine_limits import TwinError, limits_like
from pytest_twin.model.machine_speed import MachineSpeed

GIB = 1 << 30
LAPTOP = Machine(8, 8, None, 16 * GIB, None, MachineSpeed(100.0, 800.0))
RUNNER = Machine(4, 4, None, 8 * GIB, None, MachineSpeed(50.0, 200.0))


@pytest.mark.parametrize(
    ("there", "constraints", "constraint"),
    [
        (LAPTOP, [], ""),
        (RUNNER, [], "cpus=4 mem=8192MiB"),
        (RUNNER._replace(quota=1.0, memory_limit_bytes=2 * GIB), [], "cpus=4 cpu=1 mem=2048MiB"),
        (RUNNER._replace(allowed=1), [], "cpus=1 mem=8192MiB"),
        (LAPTOP, ["cpu=1 mem=2GiB"], "cpu=1 mem=2048MiB"),
        (LAPTOP, ["cpu=25% mem=25%"], "cpu=2 mem=4096MiB"),
        (LAPTOP, ["cpu=1", "cpu=0.5 io=20MB/s"], "cpu=0.5 io=20MB/s"),
        (LAPTOP._replace(quota=0.5), ["cpu=1"], "cpu=0.5"),
        (LAPTOP, ["cpu=1 period=10ms"], "cpu=1"),
        (LAPTOP, ["warp=9"], ""),
    ],
)
def test_the_least_of_machine_container_and_session_is_the_constraint(there, constraints, constraint):
    assert limits_like(there, constraints, LAPTOP, "share").constraint == constraint


def test_on_a_smaller_machine_the_shares_of_the_cpus_are_the_same():
    found = limits_like(LAPTOP._replace(quota=4.0), [], RUNNER, "share")
    assert found.constraint == "cpu=2"
    assert found.remarks == (
        "8 CPUs there, 4 here: shares of them are the same",
        "memory of 16.0GiB there, 8.0GiB here: not limited",
    )


def test_cores_need_as_many_here():
    assert limits_like(RUNNER, [], LAPTOP, "cores").constraint == "cpus=4 mem=8192MiB"
    with pytest.raises(TwinError, match=r"^scale cores: 8 CPUs there are more than the 4 that may be used here; use"):
        limits_like(LAPTOP, [], RUNNER, "cores")


@pytest.mark.parametrize(
    ("parallel", "constraint"),
    [(1.0, "cpus=4 cpu=0.5 period=5ms mem=8192MiB"), (None, "cpus=4 cpu=2 period=5ms mem=8192MiB")],
)
def test_a_slower_cpu_is_a_quota_with_a_short_period(parallel, constraint):
    assert limits_like(RUNNER, [], LAPTOP, "speed", parallel).constraint == constraint


def test_a_faster_cpu_is_not_imitated():
    found = limits_like(LAPTOP, [], RUNNER, "speed")
    assert not found.constraint
    assert "a CPU there is 2.00 times as fast as one here: tests take longer here" in found.remarks


@pytest.mark.parametrize("score", [49.8, 50.0, 50.2])
def test_a_cpu_that_is_as_fast_up_to_the_printed_digits_is_called_so(score):
    like = LAPTOP._replace(speed=MachineSpeed(50.0, 50.0))
    found = limits_like(like._replace(speed=MachineSpeed(score, score)), [], like, "speed")
    assert not found.constraint
    assert found.remarks == ("a CPU there is as fast as one here",)


@pytest.mark.parametrize(
    ("there", "here", "problem"),
    [
        (RUNNER._replace(speed=None), LAPTOP, "its fingerprint has no speed; run pytest-twin .* before the tests, or"),
        (RUNNER, LAPTOP._replace(speed=None), "the speed of this machine cannot be measured;"),
    ],
)
def test_the_scale_of_speed_needs_the_scores_of_both(there, here, problem):
    with pytest.raises(TwinError, match=f"^scale speed: {problem} use share$"):
        limits_like(there, [], here, "speed")


def test_a_machine_is_read_from_a_fingerprint():
    document = {
        "cpu": {"logical": 4, "allowed": 2, "cgroup_quota": 1.5},
        "memory": {"total_GB": 8, "cgroup_limit_GB": 0.5},
    }
    found = machine_of(document)
    assert found == Machine(4, 2, 1.5, 8 * GIB, GIB // 2, None)
    assert (found.usable_cpus, found.usable_bytes) == (1.5, GIB // 2)


@pytest.mark.parametrize("document", [None, {}, {"cpu": 3}, {"cpu": {"logical": "four"}, "memory": {"total_GB": True}}])
def test_what_a_fingerprint_does_not_tell_is_not_known(document):
    assert machine_of(document) == Machine()
