"""Measure how exactly a disk load holds a rate, compared with fio --rate.

    python benchmarks/disk_rate.py --rounds 3 --rate 50 --directory /var/tmp

Both bypass the page cache; pytest-twin chooses the block size by the rate, fio uses 128 KiB, which is the same at 50
MB/s. /proc/PID/io is read once a second at absolute times. The error is that of the mean rate; the windows are these
seconds. stress-ng --hdd has no option for a rate.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from _disk import FIO, Load, cpu_s_a_gb, flags, ours, rates, readings, rms, theirs
from _shared import interleaved, program, show


def contenders(rate: int, directory: str) -> dict[str, Callable[[], Load]]:
    """Return our load, and fio if it is installed."""
    found: dict[str, Callable[[], Load]] = {"ours": lambda: ours(f"{rate}B/s", directory)}
    if program("fio", "apt-get install fio"):
        command = [*FIO, "--rw=write", "--bs=128k", f"--rate={rate}"]
        found["fio"] = lambda: theirs(command, directory)
    return found


def main() -> None:
    """Compare."""
    parser = flags(__doc__, rounds=3, seconds=10)
    parser.add_argument("--rate", type=float, default=50, help="rate in MB/s (default: %(default)s)")
    given = parser.parse_args()
    rate = int(given.rate * 1e6)
    spread: dict[str, list[float]] = {}
    cpu: dict[str, list[float]] = {}

    def run(name: str, load: Callable[[], Load]) -> float:
        found = readings(load(), "write", 1.0, int(given.seconds))
        spread.setdefault(name, []).append(rms(rates(found), rate) / 1e6)
        cpu.setdefault(name, []).append(cpu_s_a_gb(found))
        return 100 * abs(rates([found[0], found[-1]])[0] / rate - 1)

    loads = contenders(rate, given.directory)
    errors = interleaved({name: partial(run, name, load) for name, load in loads.items()}, given.rounds, warm=False)
    for name, values in errors.items():
        is_ours = name == "ours"
        show(f"{name}: error of {given.rate:g} MB/s", values, "%", "at most 0.1" if is_ours else "")
        show("  RMS of windows of 1 s", spread[name], "MB/s", "at most 0.15" if is_ours else "")
        show("  CPU s a GB", cpu[name], "s")


if __name__ == "__main__":
    main()
