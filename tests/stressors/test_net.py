"""The network stressor, by hand and under the supervisor."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
import time

import psutil
import pytest
from driving import ended, is_kept

from pytest_twin.stressors.kinds import net
from pytest_twin.stressors.kinds.net import LoopbackConnection
from pytest_twin.stressors.spec.request import ON_TIME

linux = pytest.mark.skipif(sys.platform != "linux", reason="psutil sees the connections of others")
NET = {"module": "pytest_twin.stressors.kinds.net"}
RATE = {**NET, "unit": "bytes/s"}


def test_it_runs_from_a_bare_checkout_and_says_what_it_did(run):
    status, said, errors = run("net_stress.py", "--rate_mb", 5, "--duration", 0.5)
    assert (status, errors) == (int("failed" in said), "")
    assert re.match(rf"network load ready: 1 process\(es\)\nnetwork load {ended('duration')}: .* MiB sent", said)


def test_nonsense_is_refused_with_a_reason(run):
    status, _, errors = run("net_stress.py", "--rate_mb", 0)
    assert status == 2
    assert errors.endswith("argument --rate_mb: '0' is not a number of at least 0.001\n")


def test_a_rate_is_held_and_what_was_asked_is_told_beside_it(supervisor):
    def sent() -> float:
        supervisor.applied(**RATE, profile=[[0, 8e6]], duration=1.5)
        achieved = supervisor.hear()["achieved"]
        assert achieved["asked_sent_bytes"] == pytest.approx(8e6 * achieved["held_s"])
        return achieved["sent_bytes"] / achieved["asked_sent_bytes"]

    assert is_kept(sent, within=0.3)


def test_a_ramp_is_followed(supervisor):
    supervisor.applied(**RATE, profile=[[0, 0], [1.0, 8e6]], duration=1.0)
    end = supervisor.hear()
    achieved = end["achieved"]
    assert 1.0 <= achieved["held_s"] <= end["at"] - end["since"]
    assert achieved["asked_sent_bytes"] == pytest.approx(8e6 * (achieved["held_s"] - 0.5))


def test_the_most_is_more_than_a_rate_and_nothing_is_asked_beside_it(supervisor, eventually):
    supervisor.applied(**NET, unit="max", profile=[[0, 0]])
    eventually(lambda: supervisor.achieved()["sent_bytes"] > 10e6)
    assert "asked_sent_bytes" not in supervisor.stopped()["achieved"]


@linux
def test_nothing_listens_and_both_ends_are_this_machines_own(supervisor):
    ready = supervisor.applied(**RATE, profile=[[0, 1e6]])
    [worker] = ready["pids"]
    connections = [each for each in psutil.net_connections() if each.pid == worker]
    assert {each.status for each in connections} == {psutil.CONN_ESTABLISHED}
    assert {each.laddr.ip for each in connections} == {"127.0.0.1"}
    supervisor.stopped()


@linux
def test_a_killed_supervisor_takes_the_connection_with_it(supervisor, eventually_gone):
    ready = supervisor.applied(**RATE, profile=[[0, 1e6]])
    [worker] = [psutil.Process(pid) for pid in ready["pids"]]
    os.kill(supervisor.process.pid, signal.SIGKILL)
    eventually_gone([worker])


def test_a_stranger_that_connects_first_is_turned_away(monkeypatch):
    strangers = []
    connect = socket.create_connection

    def behind_a_stranger(address, *rest):
        strangers.append(connect(address))
        return connect(address, *rest)

    monkeypatch.setattr(net.socket, "create_connection", behind_a_stranger)
    with LoopbackConnection() as loop, strangers[0]:
        assert loop.transfer(200_000) == 200_000
        assert strangers[0].recv(1) == b""


def test_without_a_loopback_interface_it_says_so(monkeypatch):
    monkeypatch.setattr(net, "ADDRESS", "192.0.2.1")
    with pytest.raises(OSError, match=r"^192\.0\.2\.1 cannot be used: "):
        LoopbackConnection()


def test_the_profile_of_a_replay_begins_at_its_start_also_where_the_load_is_ready_later(supervisor, eventually):
    supervisor.apply(**RATE, start=time.monotonic() - 2, profile=[[0, 0], [1, 0], [1, 1e6]], options={ON_TIME: True})
    assert supervisor.hear()["event"] == "ready"
    eventually(lambda: supervisor.achieved()["sent_bytes"] > 0)
    achieved = supervisor.stopped()["achieved"]
    assert achieved["asked_sent_bytes"] == pytest.approx(1e6 * achieved["held_s"])
