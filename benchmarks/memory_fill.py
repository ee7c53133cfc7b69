"""Measure the time until memory is resident and until it is freed, by pytest-twin, stress-ng and bytearray(n).

    python benchmarks/memory_fill.py --size 4GiB

Each contender is started anew. Our load is ready when the supervisor reports it; the resident memory of the others is
polled every few milliseconds. The amount is then read from the kernel, mapping by mapping, without the memory of the
programs themselves. Memory is freed when no process is left, except for our supervisor, which serves the next load.

Then 1 GiB is requested under a limit of 512 MiB in a memory cgroup, if one can be created, and the processes that the
kernel kills are counted.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from _kernel_truth import mapped_mib
from _shared import interleaved, program, ratios, show, show_one, tree

from pytest_twin.loads.parser import parse_load
from pytest_twin.loads.supervisor_client import SupervisorClient
from pytest_twin.model.quantity import parse_size as read_size
from pytest_twin.stressors import find_kinds
from pytest_twin.stressors.kinds._resident_memory import PAGE
from pytest_twin.stressors.system.capacity import MIB

BYTEARRAY = "import sys, time; held = bytearray(int(sys.argv[1])); time.sleep(600)"
SCRIPT = Path(__file__).parent.parent / "stressors" / "mem_stress.py"
LIMIT, TOO_MUCH = 512 * MIB, 1024 * MIB
IN_GROUP = 'echo $$ > "$0/cgroup.procs" && exec "$@"'

Figures = defaultdict[str, list[float]]


def quickly_resident(pids: Iterable[int]) -> int:
    """Return the resident memory of processes in bytes, including that of the programs; 0 for ended ones."""
    found = 0
    for pid in pids:
        with suppress(OSError):
            found += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    return found


def is_there(pid: int) -> bool:
    """Whether a process still has memory, which is freed before it becomes a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except OSError:
        return False


class Bench:
    """Fill the same amount in several ways, and collect further figures."""

    def __init__(self, size: int) -> None:
        self._size = size
        self.error: Figures = defaultdict(list)
        self.stop: Figures = defaultdict(list)
        self.again: Figures = defaultdict(list)
        self.kill: Figures = defaultdict(list)

    def ours(self, name: str, **modifiers: bool) -> float:
        """Return the seconds until the load of the plugin is ready."""
        (part,) = parse_load({"mem": f"{self._size // MIB}MiB", **modifiers}, find_kinds()).parts
        supervisor = SupervisorClient(lambda *_: None, lambda _: None)
        began = time.monotonic()
        applied = supervisor.apply(part, part.request("load"))
        if not applied.wait_ready():
            sys.exit(applied.failure)
        took = time.monotonic() - began
        self._count(name, supervisor.pid)
        began = time.monotonic()
        applied.stop()
        self.stop[name].append(time.monotonic() - began)
        began = time.monotonic()
        supervisor.apply(part, part.request("again")).wait_ready()
        self.again[name].append(time.monotonic() - began)
        self._kill(name, supervisor.pid)
        supervisor.close()
        return took

    def program(self, name: str, *command: object) -> float:
        """Return the seconds until the memory of a program is resident."""
        began = time.monotonic()
        with subprocess.Popen([*map(str, command)], stdout=subprocess.DEVNULL) as process:
            while quickly_resident(tree(process.pid)) < 0.999 * self._size:
                time.sleep(0.002)
            took = time.monotonic() - began
            time.sleep(0.05)  # tolerance: one thousandth
            self._count(name, process.pid)
            began = time.monotonic()
            process.terminate()
        self.stop[name].append(time.monotonic() - began)
        return took

    def _count(self, name: str, root: int | None) -> None:
        assert root is not None  # noqa: S101 - for the type checker
        self.error[name].append(abs(mapped_mib(tree(root)) * MIB / self._size - 1) * 100)

    def _kill(self, name: str, root: int | None) -> None:
        assert root is not None  # noqa: S101 - for the type checker
        everybody = list(tree(root))
        began = time.monotonic()
        os.kill(root, signal.SIGKILL)
        while any(map(is_there, everybody)):
            time.sleep(0.002)
        self.kill[name].append(time.monotonic() - began)


@contextmanager
def limited_group() -> Iterator[Path | None]:
    """Yield the folder of a new memory cgroup with a limit; None if it cannot be created."""
    is_v1 = Path("/sys/fs/cgroup/memory/memory.limit_in_bytes").exists()
    folder = Path("/sys/fs/cgroup", "memory" if is_v1 else "", f"twin-bench-{os.getpid()}")
    try:
        folder.mkdir()
    except OSError as error:
        print(f"kills under a limit: skipped, because no cgroup can be created ({error.strerror})")
        yield None
        return
    try:
        (folder / ("memory.limit_in_bytes" if is_v1 else "memory.max")).write_text(str(LIMIT))
        yield folder
    except OSError as error:
        print(f"kills under a limit: skipped, because memory cannot be limited ({error.strerror})")
    finally:
        remove(folder)


def remove(folder: Path) -> None:
    """Remove a cgroup after the kernel has removed the last of its processes."""
    for _ in range(100):
        try:
            return folder.rmdir()
        except OSError:
            time.sleep(0.05)
    return None


def kills(folder: Path, *command: object) -> int:
    """Return the number of processes that the kernel kills in the cgroup while a program runs there."""

    def killed() -> int:
        files = [folder / "memory.oom_control", folder / "memory.events"]
        (file,) = (each for each in files if each.exists())
        return int(dict(line.split() for line in file.read_text().splitlines())["oom_kill"])

    before = killed()
    subprocess.run(["/bin/sh", "-c", IN_GROUP, folder, *map(str, command)], stdout=subprocess.DEVNULL, check=False)
    return killed() - before


def compare(size: int, rounds: int, peer: str | None) -> None:
    """Fill memory, and print the figures."""
    bench = Bench(size)
    runs: dict[str, Callable[[], float]] = {
        "ours": lambda: bench.ours("ours"),
        "ours, huge pages": lambda: bench.ours("ours, huge pages", huge=True),
        "bytearray": lambda: bench.program("bytearray", sys.executable, "-I", "-S", "-c", BYTEARRAY, size),
    }
    if peer:
        command = [peer, "-q", "--vm", 1, "--vm-bytes", size, "--vm-populate", "--vm-keep", "--vm-hang", 0]
        runs["stress-ng"] = lambda: bench.program("stress-ng", *command, "-t", 600)
    took = interleaved(runs, rounds, warm=False)
    for name, seconds in took.items():
        print(name)
        show("  filled after", seconds, "s")
        if name in bench.again:
            show("  filled again, by the same supervisor", bench.again[name], "s")
        else:
            show("    of this, our load", ratios(took["ours"], seconds), "x", "at most 1.1")
        show("  error of the resident size", bench.error[name], "%", "at most 0.1" if name == "ours" else "")
        show("  freed after the stop", bench.stop[name], "s", "at most 0.1" if name == "ours" else "")
        if name in bench.kill:
            show("  freed after SIGKILL to the supervisor", bench.kill[name], "s", "at most 2")


def compare_kills(seconds: float, peer: str | None) -> None:
    """Request too much under a limit, and print the number of killed processes."""
    with limited_group() as folder:
        if folder is None:
            return
        print(f"{TOO_MUCH // MIB} MiB requested under a limit of {LIMIT // MIB} MiB, for {seconds:g} s")
        flags = ["--step_mb", TOO_MUCH // MIB, "--steps", 1, "--sleep", seconds]
        show_one("  processes killed, ours", kills(folder, sys.executable, SCRIPT, *flags), "", "0")
        if peer:
            command = [peer, "-q", "--vm", 1, "--vm-bytes", TOO_MUCH, "--vm-populate", "-t", seconds]
            show_one("  processes killed, stress-ng", kills(folder, *command))


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=read_size, default="4GiB", help="amount to fill (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="number of rounds (default: %(default)s)")
    parser.add_argument(
        "--seconds", type=int, default=5, help="duration of the load that exceeds the limit (default: %(default)s)"
    )
    given = parser.parse_args()
    peer = program("stress-ng", "apt-get install stress-ng")
    compare(int(given.size) // MIB * MIB, given.rounds, peer)
    if given.seconds:
        compare_kills(given.seconds, peer)


if __name__ == "__main__":
    main()
