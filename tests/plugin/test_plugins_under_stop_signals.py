"""Other plugins, and libraries that start and wait for processes, beside tests that are stopped by signals."""

from __future__ import annotations

import json
import sys

import pytest
from constraining import BURN
from inner_runs import Left
from other_user import run_as_nobody

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="constraints need Linux")]

SUITE = """
import asyncio, concurrent.futures, multiprocessing, os, signal, socket, subprocess, sys, threading, time

import pytest

WORK = "sum(range(2 * 10**6))"

def work(_=0):
    return sum(range(10**6))

def test_computes():
    for _ in range(5): work()

def test_fails(): assert work() == 0

@pytest.mark.xfail(strict=True)
def test_is_expected_to_fail(): assert work() == 0

def test_children():
    for _ in range(3): subprocess.run([sys.executable, "-S", "-c", WORK], check=True, timeout=60)

def test_pipes():
    with subprocess.Popen([sys.executable, "-S", "-c", WORK + "; print(input())"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.communicate("hello", timeout=60)[0] == "hello\\n"

@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(method):
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert len(pool.map(work, range(6))) == 6

def test_executor():
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        assert len(list(pool.map(work, range(6)))) == 6

@pytest.mark.asyncio
async def test_asyncio():
    child = await asyncio.create_subprocess_exec(sys.executable, "-S", "-c", WORK)
    assert await child.wait() == 0
    async with asyncio.timeout(60):
        await asyncio.gather(*(asyncio.to_thread(work) for _ in range(4)))

@pytest.mark.anyio
async def test_anyio():
    import anyio
    assert (await anyio.run_process([sys.executable, "-S", "-c", WORK])).returncode == 0

@pytest.fixture
def anyio_backend(): return "asyncio"

def test_signals_of_its_own():
    seen = []
    before = signal.signal(signal.SIGUSR1, lambda *_: seen.append(1))
    try:
        for _ in range(20):
            os.kill(os.getpid(), signal.SIGUSR1)
            work()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert len(seen) == 20

def test_an_alarm():
    seen = []
    before = signal.signal(signal.SIGALRM, lambda *_: seen.append(1))
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    try:
        until = time.monotonic() + 60
        while not seen and time.monotonic() < until: work()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert seen

def test_a_socket():
    here, there = socket.socketpair()
    threading.Thread(target=lambda: (work(), there.sendall(b"x" * 10**5), there.close())).start()
    with here: assert sum(map(len, iter(lambda: here.recv(4096), b""))) == 10**5
"""


NESTED = f"""{BURN}
import pytest
from pytest_twin.stressors.system.freeze_detector import waited_for_cpu

def burn_held_up(cpu_s):
    "Use CPU time, and return how long that took without the time in which others had the CPUs."
    before = waited_for_cpu()
    return burn(cpu_s) - (waited_for_cpu() - before)

def test_plain(): assert is_within(0.6, 0.3)

@pytest.mark.constrain(cpu=0.1)
def test_harsher(): assert is_within(0.15, 0.3)

@pytest.mark.constrain(cpu=1)
def test_milder(): assert is_within(0.6, 0.3)

def test_again():
    assert is_within(0.6, 0.3)
    assert any(burn_held_up(0.1) < 0.4 for _ in range(20))  # under the harsher one it takes 0.8 at least
"""


def test_a_mark_within_a_constrained_session_takes_more_away_and_gives_nothing_back(nobodys_path):
    (nobodys_path / "test_it.py").write_text(NESTED, encoding="utf-8")
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--twin-constrain=cpu=0.5"]
    done = run_as_nobody(*words, cwd=nobodys_path)
    assert done.returncode == 0, done.stdout + done.stderr
    ends = [
        row
        for row in Left(nobodys_path / "twin-report").events
        if row["type"] == "constraint" and row["event"] == "end"
    ]
    used = {row["target"]: (json.loads(row["detail"])["backend"], float(row["achieved"].split()[0])) for row in ends}
    assert {backend for backend, _ in used.values()} == {"stop signals"}
    assert used["cpu=0.1"][1] <= 0.15
    assert used["cpu=0.5"][1] <= 0.6


PLUGINS = {
    "none": [],
    "xdist": ["-n", "2"],
    "rerunfailures": ["--reruns=1"],
    "forked": ["--forked"],
    "timeout": ["--timeout=60", "--timeout-method=signal"],
}


@pytest.mark.parametrize("options", PLUGINS.values(), ids=PLUGINS)
def test_each_test_comes_out_as_without_a_constraint(nobodys_path, options, unused_cpus):
    (nobodys_path / "test_libraries.py").write_text(SUITE, encoding="utf-8")
    left, found = Left(nobodys_path / "twin-report"), []
    for constraint in ([], ["--twin-constrain=cpu=0.5 period=20ms"]):
        words = [sys.executable, "-m", "pytest", "--twin", "-p", "no:cacheprovider", *options, *constraint]
        done = run_as_nobody(*words, cwd=nobodys_path)
        assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
        found.append(sorted((row["nodeid"], row["attempt"], row["outcome"]) for row in left.tests))
    plain, constrained = found
    assert len(plain) >= 14
    assert constrained == plain
    ends = [json.loads(row["detail"]) for row in left.events if row["type"] == "constraint" and row["event"] == "end"]
    assert {end["backend"] for end in ends} == {"stop signals"}
    assert sum(end["stalls"] for end in ends) > 5 or unused_cpus() < 0.1  # less than the quota is left to it then
