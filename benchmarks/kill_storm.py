"""Kill runs at random moments: count left processes and bytes and lost rows, and measure the time of the clean-up.

    python benchmarks/kill_storm.py --kills 1000

Runs of pytest with CPU, memory and disk loads, with and without pytest-xdist, get a SIGKILL at a random moment, also
during start-up. The victims are pytest, its supervisor, its sampler, the controller or a worker of pytest-xdist, and
pairs of them. All descendants of the victim have to end by themselves; a process that exists after ten seconds is an
orphan. The time of the clean-up covers our processes only: a worker of pytest-xdist without a controller ends later. At
the end of each round the whole run is killed, and nothing may be left.

Of ``--constrained-kills``, each round constrains a few busy processes, by a control group or by stop signals, and kills
the enforcer, its guardian, the supervisor, the root of the processes, or two of them. No process may be left stopped,
in another control group, with fewer CPUs or with a limit of its data, and no group and no process of ours.

A row of the dataset is lost if the sampler had written it before the kill, by the kernel's count of its writes, and it
is not in the file afterwards; one more may have been in progress. A sample that was due and not taken, because the
sampler was not scheduled, is a missed tick and not a lost row. A row of tests.csv or annotations.csv is lost if its
test had ended and the row is missing; the largest number of any process is printed. Bytes are counted where loads write
and in the folder for temporary files; unnamed files end with their process.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from _constraint_storm import Remains, kill_constrained, usable_backends
from _shared import show, show_one
from _storm_rows import rows_lost, rows_written, ticks_missed

from pytest_twin.stressors import PROCESS_NAME

PATIENCE_S = 60.0
INTERVAL_S = 0.1
LATEST_CONSTRAINED_S = 0.4
TESTS = """import os, time, pytest
ENDED = os.open("ended", os.O_WRONLY | os.O_APPEND | os.O_CREAT)

@pytest.mark.stress(cpu=2, mem="{memory}", disk="20MB/s", directory="stressed", shared=True)
@pytest.mark.parametrize("number", range(200))
def test_loaded(number):
    time.sleep(0.1)
    os.write(ENDED, b"%d\\n" % os.getpid())
"""
ALONE, WORKERS = [], ["-p", "xdist.plugin", "-n", "2"]
VICTIMS: dict[tuple[str, ...], list[str]] = {
    ("pytest",): ALONE,
    ("supervisor",): ALONE,
    ("sampler",): ALONE,
    ("pytest", "supervisor"): ALONE,
    ("pytest", "sampler"): ALONE,
    ("supervisor", "sampler"): ALONE,
    ("controller",): WORKERS,
    ("worker",): WORKERS,
    ("controller", "worker"): WORKERS,
    ("worker", "sampler"): WORKERS,
}


class Process(NamedTuple):
    """A process (proc_pid_stat(5)); its PID and start time identify it."""

    pid: int
    parent: int
    began: int
    role: str


class Found(NamedTuple):
    """The effects of one kill."""

    took_s: float
    orphans: int
    bytes_left: int
    lost: dict[str, int]
    missed: int
    in_start_up: bool

    @property
    def is_short_of_a_goal(self) -> bool:
        """Whether the result violates a goal."""
        return self.took_s > 1 or self.orphans > 0 or self.bytes_left > 0 or max(self.lost.values()) > 1


def processes(folder: Path, run: int) -> list[Process]:
    """Return the processes of a run: those with their working directory in its folder."""
    found = []
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{name}/cwd") != str(folder):
                continue
            command, _, rest = Path(f"/proc/{name}/stat").read_text().partition(" (")[2].rpartition(") ")
            words = Path(f"/proc/{name}/cmdline").read_bytes()
        except OSError:
            continue
        fields = rest.split()
        if fields[0] not in "ZX":
            role = "pytest" if int(name) == run else _role(command, words)
            found.append(Process(int(name), int(fields[1]), int(fields[19]), role))
    return found


def _role(command: str, words: bytes) -> str:
    if command == PROCESS_NAME or b"stressors/__main__.py" in words:
        return "stressor"
    return "sampler" if b"sampler_main.py" in words else "worker" if b"exec(eval(" in words else ""


def victim(role: str, there: list[Process]) -> Process | None:
    """Return a process in this role; a supervisor is a stressor process whose parent is not a stressor."""
    named = {process.pid for process in there if process.role == "stressor"}
    for process in there:
        is_supervisor = process.role == "stressor" and process.parent not in named
        if is_supervisor if role == "supervisor" else process.role == role.replace("controller", "pytest"):
            return process
    return None


def below(those: list[Process], there: list[Process]) -> set[Process]:
    """Return these processes and all their descendants."""
    found = set(those)
    while more := {each for each in there if each.parent in {one.pid for one in found}} - found:
        found |= more
    return found


def until(condition: Callable[[], object]) -> bool:
    """Wait until a condition holds; return False on a timeout."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def kill(folder: Path, roles: tuple[str, ...], after: float, order: random.Random) -> Found:
    """Kill these roles of a run, this number of seconds after its start or after their start."""
    run = start(folder, VICTIMS[roles])
    whole = roles[0] in {"pytest", "controller"}
    there: list[Process] = []

    def are_there() -> bool:
        there[:] = processes(folder, run.pid)
        return all(victim(role, there) for role in roles) or run.poll() is not None

    if roles not in {("pytest",), ("controller",)}:
        until(are_there)
    time.sleep(after)
    are_there()
    targets = [found for role in roles if (found := victim(role, there))]
    doomed = below(targets, there) - {each for each in there if each.role == "sampler" and not whole}
    in_start_up = not (folder / "ended").exists() or not (folder / "ended").stat().st_size

    def left() -> list[Process]:
        return [each for each in processes(folder, run.pid) if whole or each in doomed]

    written = sum(rows_written(each.pid) for each in there if each.role == "sampler")
    killed_at, killed = time.time(), time.monotonic()
    for process in order.sample(targets, len(targets)):
        _kill(process.pid)
    if whole:
        run.wait()
    until(lambda: all(each.role == "worker" for each in left()))  # these end later, when pytest-xdist ends them
    took = time.monotonic() - killed
    orphans = 0 if until(lambda: not left()) else len(left())
    end(run)
    if not until(lambda: not processes(folder, run.pid)):
        still_there = processes(folder, run.pid)
        orphans = max(orphans, len(still_there))
        for each in still_there:
            _kill(each.pid)
    lost, missed = rows_lost(folder, killed_at, written), ticks_missed(folder, killed_at, INTERVAL_S)
    return Found(took, orphans, bytes_left(folder), lost, missed, in_start_up)


def start(folder: Path, workers: list[str]) -> subprocess.Popen[bytes]:
    """Start a run with its temporary files in its own folder."""
    flags = ["-q", "-p", "no:cacheprovider", "--disable-plugin-autoload", "-p", "pytest_twin.plugin", "--twin"]
    flags += [*workers, f"--twin-interval={INTERVAL_S}", f"--basetemp={folder / 'base'}"]
    command = [sys.executable, "-m", "pytest", *flags, "test_it.py"]
    quiet = subprocess.DEVNULL
    environment = {**os.environ, "TMPDIR": str(folder / "temporary")}
    return subprocess.Popen(command, cwd=folder, env=environment, stdin=quiet, stdout=quiet, stderr=quiet)


def end(run: subprocess.Popen[bytes]) -> None:
    """Kill a run that still exists."""
    run.kill()
    run.wait()


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def bytes_left(folder: Path) -> int:
    """Count the bytes in files of loads, in temporary files, and in unfinished files of the report."""
    left = [*(folder / "stressed").rglob("*"), *(folder / "temporary").rglob("*")]
    left += (folder / "twin-report").glob("*.tmp")
    return sum(path.stat().st_size for path in left if path.is_file())


def round_of(number: int, given: argparse.Namespace) -> tuple[tuple[str, ...], Found]:
    """Do one run and its kill; the moment depends only on the seed and the number."""
    draw = random.Random(f"{given.seed}/{number}")
    roles = list(VICTIMS)[number % len(VICTIMS)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        for inner in ("stressed", "temporary"):
            (folder / inner).mkdir()
        (folder / "test_it.py").write_text(TESTS.format(memory=given.memory))
        return roles, kill(folder, roles, draw.uniform(0, given.latest), draw)


def main() -> None:
    """Kill."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200, help="number of kills")
    parser.add_argument("--memory", default="200MiB", help="memory load of each worker")
    parser.add_argument(
        "--latest",
        type=float,
        default=2.0,
        help="latest moment of a kill, in seconds after the start of the run or the victim",
    )
    parser.add_argument("--jobs", type=int, default=1, help="number of parallel runs")
    parser.add_argument("--seed", type=int, default=1, help="seed of the random moments")
    parser.add_argument("--constrained-kills", type=int, default=200, help="number of kills of constrained processes")
    given = parser.parse_args()
    storm_constraints(given.constrained_kills, given.seed)
    if not given.kills:
        return
    found: dict[tuple[str, ...], list[Found]] = defaultdict(list)
    with ThreadPoolExecutor(given.jobs) as pool:
        for number, (roles, each) in enumerate(pool.map(lambda number: round_of(number, given), range(given.kills))):
            found[roles].append(each)
            if each.is_short_of_a_goal:
                print(f"kill {number}, of {' and '.join(roles)}: {each}", flush=True)
    for roles, each in found.items():
        show(f"{' and '.join(roles)} killed: clean-up", [one.took_s for one in each], "s", "at most 1")
    tell([one for each in found.values() for one in each])


def storm_constraints(kills: int, seed: int) -> None:
    """Kill those who keep constraints in force, by each backend that works here, and print what is left."""
    for backend in usable_backends() if kills else ():
        found: dict[tuple[str, ...], list[Remains]] = defaultdict(list)
        for number in range(kills):
            draw = random.Random(f"{seed}/{backend}/{number}")
            roles, each = kill_constrained(number, backend, LATEST_CONSTRAINED_S, draw)
            found[roles].append(each)
            if not each.is_clean:
                print(f"{backend}, kill {number}, of {' and '.join(roles)}: {each}", flush=True)
        for roles, remains in found.items():
            show(f"{backend}, {' and '.join(roles)} killed: clean-up", [one.took_s for one in remains], "s")
        every = [one for remains in found.values() for one in remains]
        show_one(f"{backend}, kills", len(every))
        show_one("  of these while the constraint was in force", sum(one.in_force for one in every))
        for name in ("stopped", "elsewhere", "limited", "groups", "processes"):
            show_one(f"  {name}", sum(getattr(one, name) for one in every), "", "0")


def tell(found: list[Found]) -> None:
    """Print the results of all kills."""
    show_one("kills", len(found))
    show_one("  of these before the end of the first test", sum(one.in_start_up for one in found))
    show_one("slowest clean-up", max(one.took_s for one in found), "s", "at most 1")
    show_one("orphans", sum(one.orphans for one in found), "", "0")
    show_one("bytes left", sum(one.bytes_left for one in found), "", "0")
    for table in ("dataset", "tests", "annotations"):
        lost = Counter(one.lost[table] for one in found)
        show_one(f"rows of {table} lost, most by one kill", max(lost), "", "at most 1")
        show_one("  and in all", sum(rows * times for rows, times in lost.items()))
    show_one("ticks missed just before a kill, most", max(one.missed for one in found))
    show_one("  kills with two or more", sum(one.missed > 1 for one in found))


if __name__ == "__main__":
    main()
