"""What processes of ours used is kept apart from what the tests' children did."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from itertools import count

import pytest

from pytest_twin._system import child_process

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="waitid(2), and what the kernel tells of children")
if sys.platform != "win32":
    import resource

BURN = [sys.executable, "-S", "-c", "import time\nwhile time.process_time() < 0.3: pass"]


@pytest.fixture
def children_s():
    """CPU seconds of children from now on, those of ours left out."""

    def told() -> float:
        usage = child_process.subtract_own_children(resource.getrusage(resource.RUSAGE_CHILDREN))
        return usage[0] + usage[1]

    before = told()
    return lambda: told() - before


@pytest.mark.parametrize(
    "end",
    [
        child_process.AccountedPopen.wait,
        child_process.AccountedPopen.communicate,
        child_process.AccountedPopen.__exit__,
    ],
)
def test_one_that_is_waited_for_is_left_out(children_s, end):
    process = child_process.AccountedPopen(BURN)
    end(process, *([None] * 3 if end is child_process.AccountedPopen.__exit__ else []))
    assert process.returncode == 0
    assert children_s() == pytest.approx(0, abs=0.05)


def test_one_that_is_only_looked_at_is_left_out(children_s, eventually):
    process = child_process.AccountedPopen(BURN)
    eventually(lambda: process.poll() is not None)
    assert children_s() == pytest.approx(0, abs=0.05)


def test_children_that_are_not_ours_count(children_s):
    child_process.AccountedPopen(BURN).wait()
    subprocess.run(BURN, check=True)
    assert children_s() == pytest.approx(0.3, abs=0.1)


def test_one_that_somebody_else_waited_for_is_no_error():
    process = child_process.AccountedPopen([sys.executable, "-S", "-c", ""])
    os.waitpid(process.pid, 0)
    assert process.wait() == 0


def test_wherever_a_look_at_one_is_interrupted_its_end_can_be_waited_for(interrupted):
    """By Ctrl-C, or a time limit: `Popen.poll` may be left with its lock taken."""
    for at in count():
        process = child_process.AccountedPopen(["sleep", "60"])
        came_that_far = interrupted(process.poll, at)
        process.kill()
        waiting = threading.Thread(target=process.wait, daemon=True)
        waiting.start()
        waiting.join(10)
        assert not waiting.is_alive(), at
        if not came_that_far:
            break
    assert at > 5


def test_the_highest_memory_of_children_stays_what_it_is():
    child_process.AccountedPopen(BURN).wait()
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert child_process.subtract_own_children(usage)[2] == usage.ru_maxrss > 0
