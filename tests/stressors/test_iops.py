"""The stressor of I/O latency."""

from __future__ import annotations

import re
from collections import namedtuple

import pytest
from driving import ended, is_kept

from pytest_twin.stressors.kinds import iops
from pytest_twin.stressors.spec.request import LoadRequest
from pytest_twin.stressors.system.capacity import MIB
from pytest_twin.stressors.worker.job import Job

IOPS = {"module": "pytest_twin.stressors.kinds.iops", "unit": "ops/s"}
Usage = namedtuple("Usage", "total used free")  # noqa: PYI024 - as shutil has it


def test_it_runs_from_a_bare_checkout_and_leaves_no_file(run, tmp_path):
    status, said, errors = run("iops_stress.py", "--rate", 20, "--duration", 0.5)
    assert (status, errors) == (int("failed" in said), "")
    assert re.match(rf"iops load ready: 1 process\(es\)\niops load {ended('duration')}: ", said)
    assert list(tmp_path.iterdir()) == []


def test_a_rate_is_held_with_its_latency_beside_it(supervisor, tmp_path):
    def done() -> float:
        supervisor.applied(**IOPS, profile=[[0, 20]], options={"directory": str(tmp_path)}, duration=1.5)
        assert list(tmp_path.iterdir()) == []  # while it writes
        achieved = supervisor.hear()["achieved"]
        assert not achieved["operations"] or achieved["mean_latency_ms"] > 0
        return achieved["operations"] / achieved["asked_operations"]

    assert is_kept(done, within=0.5)


def test_several_workers_write_at_once_and_share_the_rate():
    assert iops.workers(Job(LoadRequest(unit="ops/s", profile=[(0, 250)]))) == 3
    assert iops.workers(Job(LoadRequest(unit="max", profile=[(0, 0)]))) == iops.MAX_WORKERS


def test_a_folder_that_is_not_there_makes_it_fail(supervisor, tmp_path):
    nowhere = str(tmp_path / "nowhere")
    supervisor.apply(**IOPS, profile=[[0, 20]], options={"directory": nowhere})
    assert supervisor.hear()["reason"] == f"{nowhere} is not a directory"


def test_a_full_disk_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(iops.shutil, "disk_usage", lambda _: Usage(1000 * MIB, 740 * MIB, 260 * MIB))
    with pytest.raises(OSError, match="free") as caught:
        iops.stress(Job(LoadRequest(unit="max", profile=[(0, 0)], options={"directory": str(tmp_path)})))
    assert str(caught.value) == f"{tmp_path} has 260 MiB free, which are reserved for other processes"


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_a_write_is_on_the_disk_at_its_place(tmp_path, monkeypatch, platform):
    monkeypatch.setattr(iops.sys, "platform", platform)
    with (tmp_path / "file").open("w+b") as file:
        iops._synchronous(file.fileno(), b"block")(4096)
    assert (tmp_path / "file").read_bytes() == bytes(4096) + b"block"
