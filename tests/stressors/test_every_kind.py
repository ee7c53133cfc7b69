"""What holds of the loads of every kind there is: when they begin, how much there is of them, and what ends them."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter

import psutil
import pytest

from pytest_twin.loads.stages import ramp_profile
from pytest_twin.stressors import find_kinds
from pytest_twin.stressors.spec.kind import BYTES, COUNT, MAX, OPS, RATE, SHARE, Kind
from pytest_twin.stressors.spec.profile import Points, Profile

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc tells why a process does nothing")
HELD_S = 1.6
LATE_S = 0.25  # a figure is reported each 0.2 s
AMOUNTS = {RATE: 40e6, OPS: 50, BYTES: 64 << 20, SHARE: 0.1}
SHAPES = {
    "plain": lambda amount: [(0.0, amount)],
    "ramp": lambda amount: ramp_profile(amount, 1.0, None),
    "steps": lambda amount: ramp_profile(amount, 1.0, 4),
    "stages": lambda amount: [(0.0, 0.0), (0.5, amount), (1.0, amount / 4)],
}


def unit_and_amount(kind: Kind) -> tuple[str, float]:
    """An amount that changes over time, small enough for all kinds to be there at once."""
    unit = next(unit for unit in kind.units if unit not in {MAX, *kind.fixed})
    few = 0.3 if kind.measure == "cpu_s" else 100
    return unit, few if unit == COUNT else AMOUNTS[unit]


def requests(directory, shape) -> dict[str, dict]:
    """A load of each kind."""
    found = {}
    for keyword, kind in find_kinds().items():
        unit, amount = unit_and_amount(kind)
        options = {"directory": str(directory)} if "directory" in kind.modifiers else {}
        found[keyword] = {"module": kind.module, "unit": unit, "profile": shape(amount), "options": options}
    return found


def whole(keyword: str, points: Points, held_s: float) -> float:
    """What a profile comes to, by adding it up in small steps; of a share, in CPU seconds of all CPUs."""
    profile, steps = Profile(points), 1000
    cpus = (os.cpu_count() or 1) if keyword == "cpu_total" else 1
    return cpus * sum(profile.at((step + 0.5) * held_s / steps) for step in range(steps)) * held_s / steps


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_every_load_follows_its_profile_from_when_it_is_ready(supervisor, tmp_path, shape):
    asked = requests(tmp_path, SHAPES[shape])
    for keyword, request in asked.items():
        supervisor.apply(keyword, **request)
    told: dict[str, list[dict]] = {keyword: [] for keyword in asked}
    over: dict[str, dict] = {}
    stopped: set[str] = set()
    while len(over) < len(asked):
        time.sleep(0.02)
        waiting = Counter(keyword for keyword in asked if keyword not in over)
        supervisor.send(*({"op": "achieved", "id": keyword} for keyword in waiting))
        done = {keyword for keyword in waiting if len(told[keyword]) > 3 and told[keyword][-1]["held_s"] >= HELD_S}
        supervisor.send(*({"op": "stop", "id": keyword} for keyword in done - stopped))
        stopped |= done
        while waiting:
            reply = supervisor.hear()
            if reply["event"] == "achieved":
                waiting -= Counter([reply["id"]])
                if reply["achieved"].get("held_s"):
                    told[reply["id"]].append(reply["achieved"])
            elif reply["event"] != "ready":
                over[reply["id"]] = reply
                told[reply["id"]].append(reply["achieved"])
    for keyword, kind in find_kinds().items():
        figure = f"mean_{kind.level}" if kind.level else kind.measure
        points, peak = asked[keyword]["profile"], whole(keyword, [(0.0, unit_and_amount(kind)[1])], 1.0)
        assert len(told[keyword]) > 3, (keyword, over[keyword])
        for figures in told[keyword]:
            times = figures["held_s"] if kind.level else 1.0
            due, got = figures[f"asked_{figure}"] * times, figures[figure] * times
            assert due == pytest.approx(whole(keyword, points, figures["held_s"]), rel=0.02), (keyword, figures)
            if keyword != "cpu_total":  # of which others make more
                assert got <= 1.2 * due + LATE_S * peak, (keyword, figures)
        assert got >= 0.6 * due or over[keyword]["reason"].startswith(("starved", "worker ")), (keyword, over[keyword])


def test_workers_that_share_a_load_begin_together_when_the_last_is_ready(supervisor, own_stressor, eventually):
    request = own_stressor(
        "uneven_stress",
        "time.sleep(0.5 * job.index)",
        "job.ready()",
        "job.achieved[f'began_{job.index}'] = job.began",
        "job.achieved[f'target_{job.index}'] = job.target()",
        "job.achieved[f'elapsed_{job.index}'] = job.now() - job.began",
        "while True: time.sleep(0.05); job.tick()",
    )
    module = sys.modules.setdefault("uneven_stress", __import__("uneven_stress"))
    with open(module.__file__, "a", encoding="utf-8") as file:
        file.write("\ndef workers(job):\n    return 2\n")
    supervisor.send({"op": "path", "path": sys.path})
    ready = supervisor.applied(**{**request, "unit": "count", "profile": [[0, 0], [10, 10]]})
    eventually(lambda: {"elapsed_0", "elapsed_1"} <= supervisor.achieved().keys())
    end = supervisor.stopped()
    figures = end["achieved"]
    assert figures["began_0"] == figures["began_1"] == ready["at"] == end["since"]
    assert ready["at"] - end["began"] >= 0.5
    assert all(0 <= figures[f"target_{index}"] <= figures[f"elapsed_{index}"] for index in (0, 1))


@posix
@linux
@pytest.mark.fault("helpers")
@pytest.mark.slow
def test_a_stopped_worker_of_any_kind_aborts_its_load(supervisor, tmp_path):
    asked = requests(tmp_path, SHAPES["plain"])
    pids = {keyword: supervisor.applied(keyword, **request)["pids"] for keyword, request in asked.items()}
    time.sleep(0.3)
    for victim, *_ in pids.values():
        os.kill(victim, signal.SIGSTOP)
    for _ in asked:
        abort = supervisor.hear()
        size = len(pids[abort["id"]])
        assert abort["event"] == "abort", abort
        assert re.fullmatch(stuck(size, "it is stopped"), abort["reason"]), abort


def stuck(size: int, why: str) -> str:
    """What is said of the first worker of some: a regular expression."""
    return rf"worker 1 of {size} has (not reported|made no progress) for \d+\.\d s; {why}"


@pytest.mark.slow
@posix
@pytest.mark.parametrize("keyword", ["cpu", "net"])
def test_a_worker_that_is_stopped_at_its_end_is_judged_by_the_time_of_its_owner(supervisor, tmp_path, keyword):
    request = requests(tmp_path, SHAPES["plain"])[keyword]
    [*pids] = supervisor.applied(**request)["pids"]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(1.0)
    abort = supervisor.stopped()
    assert abort["event"] == "abort"
    # the latter where this test was kept from stopping it for another second
    assert re.match(f"starved: achieved |{stuck(len(pids), 'it is stopped')}", abort["reason"]), abort


@pytest.mark.parametrize("late", ["time.sleep(3)", "sum(range(10 ** 7)) and [sum(range(10 ** 7)) for _ in range(20)]"])
@pytest.mark.slow
def test_a_stressor_may_be_silent_for_as_long_as_it_likes(supervisor, own_stressor, late):
    request = own_stressor("quiet_stress", "job.ready()", "job.tick()", "while True:", f"    {late}")
    supervisor.send({"op": "path", "path": sys.path})
    supervisor.applied(**request, duration=3.2)
    assert supervisor.hear()["reason"] == "duration"


@pytest.fixture
def stalling_disk(tmp_path):
    """A file system that can be frozen: its folder, and what freezes it."""
    image, folder = tmp_path / "image", tmp_path / "disk"
    folder.mkdir()

    def command(*words: object) -> None:
        subprocess.run(list(map(str, words)), check=True, capture_output=True, timeout=30)

    if sys.platform == "win32" or os.geteuid() != 0 or not shutil.which("fsfreeze") or not shutil.which("mkfs.ext4"):
        pytest.skip("to freeze a file system needs root, fsfreeze and mkfs.ext4")
    with image.open("wb") as file:
        file.truncate(256 << 20)
    try:
        command("mkfs.ext4", "-q", image)
        command("mount", "-o", "loop", image, folder)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no file system can be mounted here: {error.stderr.decode()}")
    try:
        yield folder, lambda: command("fsfreeze", "-f", folder)
    finally:
        subprocess.run(["fsfreeze", "-u", folder], check=False, capture_output=True)
        for _ in range(100):
            if subprocess.run(["umount", folder], check=False, capture_output=True).returncode == 0:
                break
            time.sleep(0.1)


STALLS = {
    "disk": {"module": "pytest_twin.stressors.kinds.disk", "unit": RATE, "profile": [[0, 5e6]]},
    "iops": {"module": "pytest_twin.stressors.kinds.iops", "unit": OPS, "profile": [[0, 50]]},
}


@linux
@pytest.mark.fault("helpers")
@pytest.mark.slow
@pytest.mark.parametrize("keyword", STALLS)
def test_a_disk_that_stalls_aborts_its_load_while_it_stalls(supervisor, stalling_disk, keyword):
    folder, freeze = stalling_disk
    supervisor.applied(**STALLS[keyword], options={"directory": str(folder)})
    time.sleep(0.3)
    freeze()
    abort = supervisor.hear()
    assert abort["event"] == "abort"
    assert re.match(stuck(1, "it waits for a disk"), abort["reason"]), abort
    achieved = abort["achieved"]
    assert achieved["held_s"] >= 2.0


@linux
@pytest.mark.slow
def test_as_much_as_a_disk_can_take_ends_although_it_stalls(supervisor, stalling_disk, eventually):
    folder, freeze = stalling_disk
    disk = {**STALLS["disk"], "unit": MAX, "options": {"directory": str(folder)}}
    [worker] = map(psutil.Process, supervisor.applied(**disk)["pids"])
    freeze()
    eventually(lambda: all(worker.status() == psutil.STATUS_DISK_SLEEP or time.sleep(0.02) for _ in range(15)))
    abort = supervisor.stopped()
    assert (abort["event"], abort["reason"]) == ("abort", "worker 1 of 1 does not end; it waits for a disk")
