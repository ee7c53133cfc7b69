"""Network traffic."""

from __future__ import annotations

import socket
import sys
from types import SimpleNamespace

import psutil
import pytest

from pytest_twin._system.procfs import MIB
from pytest_twin.telemetry.probes import network

linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc")
HEADING = "Inter-|   Receive                  |  Transmit\n face |bytes    packets |bytes    packets\n"


def dev(**mib: tuple[float, float]) -> str:
    """/proc/net/dev from MiB sent and received."""
    lines = (
        f"{name:>6}: {round(received * MIB)} 10 0 0 0 0 0 0 {round(sent * MIB)} 7 0 0 0 0 0 0\n"
        for name, (sent, received) in mib.items()
    )
    return HEADING + "".join(lines)


@pytest.fixture
def rows(write, kernel):
    """Rows from what the file said one after the other, a second apart."""

    def rows(*texts: str) -> list[list[float | None]]:
        write("net/dev", texts[0])
        probe = network.LinuxNetwork(kernel)
        return [write("net/dev", text) or probe.read(float(at)) for at, text in enumerate(texts)]

    return rows


@linux
def test_loopback_is_apart_and_counted_once(rows):
    first, second = rows(dev(lo=(9, 9), eth0=(1, 2), wlan0=(0, 0)), dev(lo=(11, 11), eth0=(2, 5), wlan0=(0.5, 0)))
    assert first == [None, None, None]
    assert second == [1.5, 3.0, 2.0]


@linux
def test_an_interface_that_comes_or_goes_is_no_traffic(rows):
    _, came, went = rows(dev(eth0=(1, 1)), dev(eth0=(2, 1), tun0=(500, 500)), dev(tun0=(501, 500)))
    assert came == [1.0, 0.0, None]
    assert went == [1.0, 0.0, None]


@linux
def test_a_counter_that_stepped_back_is_empty_once(rows):
    assert rows(dev(eth0=(9, 9)), dev(eth0=(1, 10)), dev(eth0=(2, 10)))[1:] == [[None, 1.0, None], [1.0, 0.0, None]]


@linux
def test_where_nothing_moved_zero_is_told_of_what_there_is(rows):
    texts = [dev(eth0=(1, 1))] * 3 + [dev(eth0=(2, 1))] * 2
    assert rows(*texts)[1:] == [[0.0, 0.0, None], [0.0, 0.0, None], [1.0, 0.0, None], [0.0, 0.0, None]]


@linux
@pytest.mark.parametrize("text", ["", HEADING, HEADING + "  eth0: 1 2 3\n"])
def test_what_is_not_told_is_empty(rows, text):
    assert rows(text, text) == [[None] * 3] * 2


def test_without_its_file_nothing_is_made_up(kernel):
    assert network.LinuxNetwork(kernel).read(0.0) == [None, None, None]


READERS = [pytest.param(network.LinuxNetwork, marks=linux), network.PortableNetwork]


@pytest.mark.parametrize("reader", READERS)
def test_what_goes_over_loopback_is_seen_there(reader):
    probe = reader()
    probe.read(0.0)
    before = psutil.net_io_counters(pernic=True, nowrap=False)
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as ours:
        theirs, _ = server.accept()
        with theirs:
            for _ in range(32):
                ours.sendall(bytes(65536))
                received = 0
                while received < 65536:
                    received += len(theirs.recv(65536))
    after = psutil.net_io_counters(pernic=True, nowrap=False)
    loopback = next(name for name in after if name.startswith(("lo", "Loopback")))
    between = (after[loopback].bytes_sent - before[loopback].bytes_sent) / MIB
    if not between:
        pytest.skip("this system does not count loopback")
    assert probe.read(1.0)[2] >= between >= 2.0


def test_on_windows_loopback_is_known_by_its_name(monkeypatch):
    nics = iter([(5, 5, 1, 2), (7, 7, 4, 3)])

    def counters(pernic: bool) -> dict[str, SimpleNamespace]:
        lo_sent, lo_received, sent, received = (count * MIB for count in next(nics))
        return {
            "Loopback Pseudo-Interface 1": SimpleNamespace(bytes_sent=lo_sent, bytes_recv=lo_received),
            "Ethernet": SimpleNamespace(bytes_sent=sent, bytes_recv=received),
        }

    monkeypatch.setattr(psutil, "net_io_counters", counters)
    probe = network.PortableNetwork()
    assert [probe.read(0.0), probe.read(1.0)] == [[None] * 3, [3.0, 1.0, 2.0]]
