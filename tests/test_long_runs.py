"""What takes long: a whole legacy schedule, and many kills."""

from __future__ import annotations

import csv
import json
import random
import signal
import subprocess
import sys
import time

import psutil
import pytest
from load_rows import loads_that

pytestmark = pytest.mark.slow

COMMANDS = {
    "cpu_spike": "python stressors\\cpu_stress.py --procs {} --duration 180",
    "memory_load": "python stressors\\mem_stress.py --step_mb {} --steps 3 --sleep 10",
    "disk_io": "python stressors\\disk_stress.py --size_mb {} --block_mb 5",
}


def rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def legacy_list(events: int, seed: int) -> list[dict]:
    """A list as the old scripts made them: so many events, a minute or ten apart."""
    chance = random.Random(seed)
    minute, made = 0, []
    for _ in range(events):
        kind = chance.choice(sorted(COMMANDS))
        command = COMMANDS[kind].format(chance.randint(4, 10))
        start = f"2025-10-11T{2 + minute // 60:02}:{minute % 60:02}:00"
        made.append({"type": kind, "duration_s": chance.choice([180, 600]), "cmd": command, "start": start})
        minute += chance.randint(1, 10)
    return made


def test_a_legacy_schedule_of_66_events_plays_to_its_end(tmp_path):
    (tmp_path / "legacy.json").write_text(json.dumps(legacy_list(66, seed=7)))
    (tmp_path / "test_it.py").write_text(
        "import time, pytest\n@pytest.mark.parametrize('n', range(50))\ndef test_it(n): time.sleep(1)\n"
    )
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir=.", "test_it.py",
               "--twin-schedule=legacy.json", "--twin-schedule-speed=500"]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    loads = [row for row in rows(tmp_path / "twin-report" / "annotations.csv") if row["target"]]
    assert len({row["id"] for row in loads}) == 66
    assert sum(len(loads_that(last, loads)) for last in ("end", "skip", "abort")) == 66
    assert len(loads_that("end", loads)) >= 60


def running_in(folder) -> list[psutil.Process]:
    """The processes that were started in a folder: a run, its sampler, its supervisor, its stressors."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and process.cwd() == str(folder):
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_wherever_a_run_is_killed_nothing_is_left_of_it(tmp_path, eventually):
    (tmp_path / "test_it.py").write_text(
        "import time, pytest\n"
        "@pytest.mark.parametrize('n', range(1000))\n"
        "@pytest.mark.stress(cpu=2, mem='30MiB', disk='5MB/s')\n"
        "def test_it(n): time.sleep(0.01)\n"
    )
    chance = random.Random(7)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest",
               "--rootdir=.", "test_it.py"]  # fmt: skip
    events, began = tmp_path / "twin-report" / "annotations.csv", time.monotonic()
    for number in range(15):
        run = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if number == 0:  # how long the machine takes to its first load
            eventually(lambda: events.exists() and ",cpu," in events.read_text(encoding="utf-8"), within=60)
            starts_in_s = time.monotonic() - began
        time.sleep(starts_in_s * chance.uniform(0.3, 3))
        run.send_signal(chance.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT]))
        run.wait()
        eventually(lambda: running_in(tmp_path) == [], within=60)
    names = {path.name for path in (tmp_path / "twin-report").iterdir()}
    assert not any(name.startswith(".stress") for name in names)
