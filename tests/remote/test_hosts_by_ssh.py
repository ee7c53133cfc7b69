"""Workers of pytest-xdist by a real sshd on this machine, which is started for these tests only."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from other_hosts import LATE, Line

pytest.importorskip("xdist")
SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("few_plugins"),
    pytest.mark.skipif(not (SSHD and shutil.which("ssh") and shutil.which("ssh-keygen")), reason="no OpenSSH here"),
]
BOX, CUT = "box", "cut-box"  # what the configuration of ssh calls this machine, the second by a line that can be cut


@pytest.fixture
def box(tmp_path):
    """The machine as another one, by ssh: how pytest-xdist is told of it, and the folder of its temporary files."""
    place = tmp_path / "ssh"
    place.mkdir(mode=0o700)
    for name in ("host_key", "key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", place / name], check=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # it refuses to start as root without
    (place / "sshd_config").write_text(f"""
        Port {port}
        ListenAddress 127.0.0.1
        HostKey {place}/host_key
        AuthorizedKeysFile {place}/key.pub
        PidFile none
        StrictModes no
        UsePAM no
    """)
    line = Line(port, place / "cut")
    (place / "ssh_config").write_text(f"""
        Host {BOX}
            HostName 127.0.0.1
            Port {port}
        Host {CUT}
            HostName 127.0.0.1
            Port {line.port}
        Host *
            User {getpass.getuser()}
            IdentityFile {place}/key
            UserKnownHostsFile {place}/known_hosts
            StrictHostKeyChecking no
            LogLevel ERROR
    """)
    with (place / "log").open("wb") as log:
        server = subprocess.Popen([SSHD, "-D", "-e", "-f", place / "sshd_config"], stderr=log)
    deadline = time.monotonic() + 60
    while "listening" not in (place / "log").read_text():
        if server.poll() is not None or time.monotonic() > deadline:
            pytest.skip(f"sshd does not start here: {(place / 'log').read_text()}")
        time.sleep(0.05)
    yield place
    line.stop()
    server.terminate()
    server.wait()


@pytest.fixture
def by_ssh(box, pytester):
    """How pytest-xdist is told to start workers there, which have a copy of the tests."""

    def options(*names: str) -> list[str]:
        shutil.copytree(
            pytester.path, box / "home", ignore=lambda _, names: [name for name in names if not name.endswith(".py")]
        )
        (box / "temporary").mkdir()
        environment = f"env:TMPDIR={box}/temporary//env:PYTEST_ADDOPTS={os.environ['PYTEST_ADDOPTS']}"
        where = f"ssh_config={box}/ssh_config//python={sys.executable}//chdir={box}/home//{environment}"
        return ["--dist=load", *(f"--tx=ssh={name}//{where}" for name in names)]

    return options


def test_two_workers_by_ssh_have_one_sampler_and_one_name_in_every_row(pytester, left, box, by_ssh, eventually):
    pytester.makepyfile("""
        import time, pytest

        @pytest.mark.stress(cpu=1)
        def test_marked(): time.sleep(0.7)

        @pytest.mark.parametrize("number", range(6))
        def test_plain(number, twin_logger):
            twin_logger.annotate("a note")
            time.sleep(0.3)
    """)
    pytester.runpytest_subprocess("--twin", *by_ssh(BOX, BOX)).assert_outcomes(passed=7)
    samples = left.rows(f"hosts/{BOX}/system_metrics_dataset.csv")
    assert {row["host"] for row in (*left.tests, *left.events, *samples)} == {BOX}
    assert {row["worker"] for row in left.tests} == {"gw0", "gw1"}
    times = [float(row["elapsed_s"]) for row in samples]
    assert times == sorted(times)
    assert len(times) > 1
    for told in json.loads((left.folder / "hosts.json").read_text())[BOX]["workers"].values():
        assert all(abs(clock["offset_s"]) <= clock["uncertainty_s"] + 0.001 for clock in told["clock"])
        assert len(told["clock"]) == 2
    assert not (box / "home" / "twin-report").exists()
    eventually(lambda: list((box / "temporary").glob("pytest-twin-*")) == [])


@pytest.mark.fault("hosts")
def test_a_connection_that_breaks_fails_the_test_and_another_worker_goes_on(pytester, left, box, by_ssh, eventually):
    pytester.makepyfile("""
        import psutil, time, pytest

        def test_before(): time.sleep(0.3)

        @pytest.mark.stress(cpu=1)
        def test_broken():
            time.sleep(1)
            next(each for each in psutil.Process().parents() if each.name().startswith("sshd")).kill()
            time.sleep(60)

        @pytest.mark.parametrize("number", range(3))
        def test_after(number): time.sleep(0.3)
    """)
    result = pytester.runpytest_subprocess("--twin", *by_ssh(BOX))
    result.assert_outcomes(passed=4, failed=1)
    outcomes = {row["nodeid"].partition("::")[2]: (row["outcome"], row["worker"], row["host"]) for row in left.tests}
    assert outcomes["test_broken"] == ("crashed", "gw0", BOX)
    assert outcomes["test_after[2]"] == ("passed", "gw1", BOX)
    times = [float(row["elapsed_s"]) for row in left.rows(f"hosts/{BOX}/system_metrics_dataset.csv")]
    (last,) = [row for row in left.tests if "[2]" in row["nodeid"]]
    assert times == sorted(times)
    assert times[-1] > float(last["elapsed_s"])  # the second worker samples in place of the first
    eventually(lambda: list((box / "temporary").glob("pytest-twin-*")) == [])


@pytest.mark.fault("hosts")
def test_what_a_host_was_to_run_that_is_cut_off_another_runs_though_all_its_workers_were_sent_home(
    pytester, left, box, by_ssh, eventually
):
    pytester.makeconftest(LATE.format(there=str(box / "there")))
    pytester.makepyfile(f"""
        import pathlib, time

        def test_cut():
            time.sleep(2)
            pathlib.Path({str(box / "cut")!r}).touch()
            time.sleep(120)

        def test_before(): pass
        def test_after(): pass
    """)
    *first, second = by_ssh(CUT, BOX)
    result = pytester.runpytest_subprocess("--twin", *first, f"{second}//env:LATE=1", "--twin-host-timeout=10s")
    result.assert_outcomes(passed=2, failed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    ran = {row["nodeid"].partition("::")[2]: (row["outcome"], row["worker"]) for row in left.tests}
    assert ran == {"test_cut": ("crashed", "gw0"), "test_before": ("passed", "gw1"), "test_after": ("passed", "gw2")}
    eventually(lambda: list((box / "temporary").glob("pytest-twin-*")) == [])
