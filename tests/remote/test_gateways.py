"""Where gateways lead, and what hosts are called."""

from __future__ import annotations

import pytest

execnet = pytest.importorskip("execnet")

from pytest_twin.remote.gateways import address_of, is_remote, name_of  # noqa: E402 - needs execnet to be of use


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("ssh=box", "box"),
        ("ssh=me@box.example.org//python=python3.11", "box.example.org"),
        ("ssh=-p 2222 -i key -o User=me box", "box"),
        ("ssh=box -p 2222", "box"),
        ("ssh=-C -v me@10.0.0.7", "10.0.0.7"),
        ("socket=127.0.0.1:8888", "127.0.0.1"),
        ("vagrant_ssh=default", "default"),
        ("popen//via=master", "master"),
        ("ssh=../../etc", "etc"),
        ("ssh=con", "_con"),
        ("ssh=ü", "host"),
        ("ssh=fe80::1", "fe80-1"),
    ],
)
def test_a_host_is_called_after_its_address(spec, name):
    found = execnet.XSpec(spec)
    assert is_remote(found)
    assert name_of(address_of(found)) == name


@pytest.mark.parametrize("spec", ["popen", "popen//chdir=/tmp", "popen//python=python3.12"])
def test_a_worker_on_the_same_machine_is_on_no_other_host(spec):
    assert not is_remote(execnet.XSpec(spec))
