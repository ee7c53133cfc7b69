"""Memory runs out: the stressor dies, and the test goes on."""

from __future__ import annotations

import sys

import pytest
from runs import seconds_until_gone

pytestmark = [
    pytest.mark.fault("memory"),
    pytest.mark.skipif(sys.platform != "linux", reason="control groups"),
]

MIB = 1 << 20
NEEDY = """import pytest, time

@pytest.mark.stress(mem="150MiB")
def test_it():
    needed = bytearray(400 << 20)
    time.sleep(1)  # the limit of a control group is not enforced at once everywhere
    assert len(needed) == 400 << 20

@pytest.mark.stress(mem="500MiB")
def test_asks_for_more_than_is_left(): pass
"""


@pytest.mark.slow
def test_a_test_that_needs_the_memory_gets_it_from_its_load(run, group):
    group.limit(memory=512 * MIB)
    into = "; ".join(f"echo $$ > {folder}/cgroup.procs" for folder in group.folders.values())
    done, status, said = run(NEEDY, "--twin", "-W", "default", before=["sh", "-c", f'{into}; exec "$@"', "sh"])
    assert status == 0, said
    assert [row["outcome"] for row in done.tests] == ["passed", "passed"]
    assert done.loads("abort")[0] == ("memory", "150MiB")
    assert "killed by SIGKILL, probably out of memory" in said
    assert any("reserved for other processes)" in row["detail"] for row in done.events)
    assert group.oom_kills() >= 1
    assert done.samples
    seconds_until_gone(done)
