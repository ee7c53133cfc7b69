"""Tests that change the process which they run in, and with it ours."""

from __future__ import annotations

import sys

import pytest

pytestmark = [
    pytest.mark.fault("unkind tests"),
    pytest.mark.skipif(sys.platform != "linux", reason="finds the processes in /proc"),
]

IGNORES = """import pytest, signal

def test_ignores(): signal.signal(signal.SIGCHLD, signal.SIG_IGN)

@pytest.mark.parametrize("time", range(2))
@pytest.mark.stress(cpu=2, mem="1MiB")
def test_next(time): pass
"""


def test_where_the_ends_of_children_are_ignored_loads_end_as_ever(run):
    done, status, said = run(IGNORES)
    assert status == 0, said
    assert sorted(done.loads("end")) == 2 * [("cpu", "2")] + 2 * [("memory", "1MiB")]
    assert done.loads("abort") == []
    assert done.processes() == []
