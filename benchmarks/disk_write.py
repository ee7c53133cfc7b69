"""Measure rate and CPU time of a disk load, compared with fio and stress-ng with the same blocks and O_DIRECT.

    python benchmarks/disk_write.py --rounds 5 --directory /var/tmp

Each writes or reads the blocks of a preallocated file of 256 MiB sequentially at full speed. The amount comes from
/proc/PID/io and the CPU time from the CPU clocks, both summed over all processes of a contender while it runs. fio uses
small pages for its buffers, pytest-twin huge pages. stress-ng does not preallocate, and verifies its data.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from _disk import FIO, Load, cpu_s_a_gb, flags, ours, rates, readings, theirs
from _shared import interleaved, program, ratios, show

GOALS = {"write": ("at least 0.95", "at most 0.08"), "read": ("", "")}


def contenders(pattern: str, directory: str, block: int) -> dict[str, Callable[[], Load]]:
    """Return our load, and those of the installed peers."""
    found: dict[str, Callable[[], Load]] = {
        "ours": lambda: ours("max", directory, pattern=pattern, block=f"{block}B"),
    }
    if program("fio", "apt-get install fio"):
        command = [*FIO, f"--rw={pattern}", f"--bs={block}"]
        found["fio"] = lambda: theirs(command, directory)
    if pattern == "write" and program("stress-ng", "apt-get install stress-ng"):
        hdd = ["stress-ng", "--hdd", "1", "--hdd-opts", "direct,wr-seq", "--hdd-bytes", "256m"]
        hdd += ["--hdd-write-size", str(block), "--timeout", "3600"]
        found["stress-ng"] = lambda: theirs(hdd, directory)
    return found


def compare(pattern: str, directory: str, block: int, seconds: float, rounds: int) -> None:
    """Print rates, CPU time and ratios."""
    cpu: dict[str, list[float]] = {}

    def run(name: str, load: Callable[[], Load]) -> float:
        found = readings(load(), pattern, seconds, 1)
        cpu.setdefault(name, []).append(cpu_s_a_gb(found))
        return rates(found)[0]

    loads = contenders(pattern, directory, block)
    speed = interleaved({name: partial(run, name, load) for name, load in loads.items()}, rounds, warm=False)
    ratio_goal, cpu_goal = GOALS[pattern]
    for name, values in speed.items():
        show(f"{pattern}, {name}", [value / 1e6 for value in values], "MB/s")
        show("  CPU s a GB", cpu[name], "s", cpu_goal if name == "ours" else "")
    if "fio" in speed:
        show(f"{pattern}, ours / fio", ratios(speed["ours"], speed["fio"]), "", ratio_goal)


def main() -> None:
    """Compare."""
    parser = flags(__doc__, rounds=5, seconds=4)
    parser.add_argument("--block", type=int, default=4 << 20, help="bytes per write or read (default: %(default)s)")
    given = parser.parse_args()
    for pattern in GOALS:
        compare(pattern, given.directory, given.block, given.seconds, given.rounds)


if __name__ == "__main__":
    main()
