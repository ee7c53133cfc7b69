"""Two hosts with networks of their own, one of which is cut off in the middle of a test."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest
from other_hosts import HANDING_OVER

pytest.importorskip("xdist")
UNSHARE = ["unshare", "--net", "--mount", *(["--user", "--map-root-user"] if os.geteuid() else [])]


def cannot() -> str:
    """Why there can be no such hosts here; empty if there can."""
    tools = [tool for tool in ("unshare", "nsenter", "ip") if not shutil.which(tool)]
    if tools:
        return f"no {', '.join(tools)} here"
    tried = subprocess.run(
        [*UNSHARE, "ip", "link", "add", "v1", "type", "veth"], capture_output=True, text=True, check=False
    )
    return tried.stderr.strip()


pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("few_plugins"),
    pytest.mark.skipif(sys.platform != "linux", reason="namespaces of Linux"),
]

# The hosts are namespaces of network and name, each with an execnet server, and a line from here to each. A line goes
# down as soon as the file `cut` has its number; the server beyond it ends when its worker has noticed.
TWO_HOSTS = """
    set -eu
    python=$1 place=$2; shift 2
    ip link set lo up
    for number in 1 2; do
        mkdir "$place/tmp$number"
        unshare --net --uts sh -c "hostname host$number; echo up > $place/up$number; exec sleep 900" &
        eval host$number=$!
        until [ -s "$place/up$number" ]; do sleep 0.05; done
        eval host=\\$host$number
        ip link add near$number type veth peer name far$number netns $host
        ip address add 10.77.$number.1/24 dev near$number
        ip link set near$number up
        nsenter --target $host --net ip address add 10.77.$number.2/24 dev far$number
        nsenter --target $host --net ip link set far$number up
        (cd "$place/home$number" && TMPDIR="$place/tmp$number" exec nsenter --target $host --net --uts \
            "$python" -u -m execnet.script.socketserver 10.77.$number.2:8888 > "$place/log$number" 2>&1) &
        eval server$number=$!
        until [ -s "$place/log$number" ]; do sleep 0.05; done
    done
    (until [ -s "$place/cut" ]; do sleep 0.05; done; ip link set "near$(cat "$place/cut")" down) &
    watcher=$!
    trap 'kill $host1 $host2 $server1 $server2 $watcher 2> /dev/null || true' EXIT
    "$python" -m pytest "$@" && status=0 || status=$?
    eval server=\\$server$(cat "$place/cut")
    for _ in $(seq 300); do kill -0 $server 2> /dev/null || break; sleep 0.1; done
    kill -0 $server 2> /dev/null || echo the server that was cut off has ended
    exit $status
"""
SUITE = """
    import pathlib, platform, time, pytest
    from handing_over import wait_until_handed_over

    @pytest.mark.parametrize("number", range(4))
    def test_before(number): time.sleep(0.3)

    @pytest.mark.stress(cpu=1, shared=True)
    def test_cut():
        wait_until_handed_over(f"10.77.{{platform.node()[-1]}}.2")
        pathlib.Path({cut!r}).write_text(platform.node()[-1])
        time.sleep(120)

    @pytest.mark.parametrize("number", range(10))
    def test_after(number): time.sleep(0.3)
"""


@pytest.mark.fault("hosts")
def test_of_two_hosts_one_is_cut_off_and_the_other_runs_the_rest(pytester, left, tmp_path):
    if why := cannot():
        pytest.skip(f"no namespaces of networks here: {why}")
    pytester.makepyfile(handing_over=HANDING_OVER.format(report=str(left.folder)))
    pytester.makepyfile(SUITE.format(cut=str(tmp_path / "cut")))
    for number in "12":
        shutil.copytree(pytester.path, tmp_path / f"home{number}")
    specs = [f"--tx=socket=10.77.{number}.2:8888//chdir={tmp_path}/home{number}" for number in "12"]
    done = subprocess.run(
        [*UNSHARE, "bash", "-c", TWO_HOSTS, "two-hosts", sys.executable, tmp_path,
         "-p", "no:rerunfailures",  # which looks for its controller on the host of the worker
         "--twin", "--dist=load", *specs, "--twin-host-timeout=10s"],
        capture_output=True, text=True, check=False, timeout=280, start_new_session=True, cwd=pytester.path,
    )  # fmt: skip

    print(done.stdout, done.stderr)
    cut = f"10.77.{(tmp_path / 'cut').read_text()}.2"
    (other,) = {"10.77.1.2", "10.77.2.2"} - {cut}
    assert done.returncode in {pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED}
    assert " 1 failed, " in done.stdout  # one that the host had been given with it may have nobody to run it any more
    assert sum(row["outcome"] == "passed" for row in left.tests) >= 13
    assert "the server that was cut off has ended" in done.stdout
    assert [(row["host"], "test_cut" in row["nodeid"]) for row in left.tests if row["outcome"] == "crashed"] == [
        (cut, True)
    ]
    assert {row["host"] for row in left.tests} == {cut, other}
    known = json.loads((left.folder / "hosts.json").read_text())
    assert {(name, each["hostname"]) for name, each in known.items()} == {
        ("10.77.1.2", "host1"),
        ("10.77.2.2", "host2"),
    }
    for host in (cut, other):
        samples = left.rows(f"hosts/{host}/system_metrics_dataset.csv")
        assert {row["host"] for row in samples} == {host}
        last = [float(row["elapsed_s"]) for row in left.tests if row["host"] == host][-1]
        assert float(samples[-1]["elapsed_s"]) > last  # the cut came when some of the test had been handed over
    assert [path.name for number in "12" for path in (tmp_path / f"tmp{number}").iterdir()] == []
