"""The measurements of this machine: made once per boot by commands, kept in the user's cache folder.

These are the scores of its CPUs, and what it does under loads of known size.

A test session only reads what is kept: measuring would delay its tests, or slow them.

The work of the scores is compression by bzip2: its code has hardly changed since 2000, it uses integers, branches and
the caches, and Python runs it without its lock, so that threads show what all CPUs do together. Scores are per second
of CPU time of a thread, the best of several: other processes and a quota of CPU time hardly change them.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_twin._system.private_files import write_atomic
from pytest_twin._system.procfs import LINUX, read_bytes
from pytest_twin._system.stdlib import json, os, sys, time
from pytest_twin.model.machine_speed import WORK, MachineSpeed, parse_speed, speed_document
from pytest_twin.stressors.system import capacity

if TYPE_CHECKING:
    from pytest_twin.model.machine_calibration import MachineCalibration

FILE = "speed.json"
LOADS_FILE = "loads.json"
LONGEST = 1 << 16  # bytes of the file
MOST_KEPT = 20  # boots and machines: a home directory may be on several
BLOCK = 50_000  # bytes that are compressed at once, about 5 ms
FEWEST_BLOCKS, SINGLE_S = 3, 0.12
ROUNDS, ROUND_S = 2, 0.12
BOOT_ID = "/proc/sys/kernel/random/boot_id"
READ_AT_ONCE = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
# the clock of CPU time on Windows advances in steps of 15.6 ms
_thread_time = time.perf_counter if sys.platform == "win32" else time.thread_time


def kept_speed() -> MachineSpeed | None:
    """Return the scores that were measured since the machine started; None if there are none."""
    return parse_speed(_kept(FILE, WORK))


def kept_calibration() -> MachineCalibration | None:
    """Return what the machine was measured to do under loads since it started; None if it was not measured."""
    from pytest_twin.model.machine_calibration import LOADS, parse_calibration

    return parse_calibration(_kept(LOADS_FILE, LOADS))


def keep_calibration(calibration: MachineCalibration) -> bool:
    """Keep what the machine was measured to do under loads; return whether that was possible."""
    from pytest_twin.model.machine_calibration import LOADS, calibration_document

    return _keep(LOADS_FILE, LOADS, calibration_document(calibration))


def calibrated_speed() -> MachineSpeed | None:
    """Return the scores of this machine: those kept, or else measured now, in half a second.

    Returns:
        None where this Python has no bzip2.
    """
    speed = kept_speed()
    if speed is None and (speed := measure_speed()) is not None:
        _keep(FILE, WORK, speed_document(speed))
    return speed


def measure_speed() -> MachineSpeed | None:
    """Measure the scores of this machine, in half a second; None where this Python has no bzip2."""
    try:
        import bz2  # noqa: F401 - some builds of Python lack it
    except ImportError:
        return None
    data, threads = _data(), capacity.allowed_cpus()
    return MachineSpeed(_single_score(data), max(_all_score(data, threads) for _ in range(ROUNDS)))


def cache_folder() -> Path:
    """Return the folder for what this program keeps for the user between runs; it may not exist."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or os.path.expanduser("~/AppData/Local")
    elif sys.platform == "darwin":
        base = os.path.expanduser("~/Library/Caches")
    else:
        base = os.environ.get("XDG_CACHE_HOME", "")
        if not os.path.isabs(base):  # the specification of the variable says so
            base = os.path.expanduser("~/.cache")
    return Path(base, "pytest-twin")


def _data() -> bytes:
    """Return the same bytes everywhere, which compress like text."""
    import random

    return random.Random(1).randbytes(BLOCK // 2).hex().encode()  # noqa: S311 - not for secrets


def _score(data: bytes) -> float:
    """Compress the data once and return the MB per second of CPU time of this thread."""
    import bz2

    began = _thread_time()
    bz2.compress(data, 1)
    return len(data) / 1e6 / max(_thread_time() - began, 1e-6)


def _single_score(data: bytes) -> float:
    scores: list[float] = []
    deadline = time.perf_counter() + SINGLE_S
    while len(scores) < FEWEST_BLOCKS or time.perf_counter() < deadline:
        scores.append(_score(data))
    return max(scores)


def _all_score(data: bytes, threads: int) -> float:
    """Return the score of all threads together; one that a quota keeps from starting in time counts as the others."""
    scores: list[float] = []
    deadline = time.perf_counter() + ROUND_S

    def work() -> None:
        own: list[float] = []
        while time.perf_counter() < deadline:
            own.append(_score(data))
        if own:
            scores.append(len(own) / sum(1 / each for each in own))

    workers = [threading.Thread(target=work, daemon=True) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return threads * (sum(scores) / len(scores) if scores else _score(data))


def _key(work: str) -> str | None:
    """Return what measurements hold for: this boot, the CPUs that this process may use, and the work.

    Returns:
        None where the system does not tell when it was started, as without /proc.
    """
    boot = read_bytes(BOOT_ID).decode(errors="replace").strip() if LINUX else ""
    if not boot:
        import psutil

        try:
            boot = f"{psutil.boot_time():.0f}"
        except (psutil.Error, OSError, RuntimeError):
            return None
    return f"{boot} {capacity.allowed_cpus()} {work}"


def _read(path: Path) -> dict[str, Any]:
    """Return the kept scores by their key; empty if they cannot be read."""
    try:
        fd = os.open(path, READ_AT_ONCE)
        try:
            document = json.loads(os.read(fd, LONGEST))
        finally:
            os.close(fd)
    except (OSError, ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _kept(name: str, work: str) -> object:
    """Return the document that a file keeps for this machine; None if there is none."""
    key = _key(work)
    return None if key is None else _read(cache_folder() / name).get(key)


def _keep(name: str, work: str, document: dict[str, Any]) -> bool:
    """Write a document into the cache; return False where that is not possible."""
    path, key = cache_folder() / name, _key(work)
    if key is None or not path.is_absolute():  # the user has no home
        return False
    others = [(other, each) for other, each in _read(path).items() if other != key]
    kept = dict([*others[-MOST_KEPT + 1 :], (key, document)])
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomic(path, json.dumps(kept, indent=2) + "\n")
    except OSError:
        return False
    return True
