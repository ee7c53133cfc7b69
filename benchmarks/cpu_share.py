"""Measure how closely a share of the CPUs is kept, by pytest-twin and by stress-ng, from their CPU clocks.

    python benchmarks/cpu_share.py --seconds 10

Both hold each share alternately. The error of a window is the CPU usage of the load in per cent of the host, minus the
requested share. The steal time of the hypervisor is printed too, because it causes errors of any load. Shares that
leave room are measured again beside another load of 30 % of each CPU.
"""

from __future__ import annotations

import argparse
import os
import time
from contextlib import AbstractContextManager, nullcontext

from _cpu_windows import KINDS, Clock, Windows, errors, other_load, our_load, supervisor, their_load, watched
from _shared import program, show_one

from pytest_twin.loads.parser import parse_load
from pytest_twin.loads.supervisor_client import SupervisorClient

SHARES = (10, 30, 50, 70, 90)
BESIDE = (30, 50)
CPUS = os.cpu_count() or 1
Goals = tuple[float | None, ...]
GOALS = (0.05, 0.1, 0.5, 0.5, None)
NAMES = ("mean", "rms, 1 s", "rms, 0.1 s", "median, 0.1 s", "steal time")


def held(load: AbstractContextManager[Clock], share: int, seconds: float) -> Windows:
    """Return the errors of a load in its steady state."""
    with load as clock:
        time.sleep(0.3)
        return errors(watched(clock, seconds), CPUS, share)


def tell(who: str, share: int, found: Windows, goals: Goals | None) -> None:
    """Print the errors of one load."""
    for name, error, goal in zip(NAMES, found, goals or (None,) * len(NAMES), strict=True):
        show_one(f"  {who} {share} %, {name}", f"{error:+.3f}", "pt", f"at most {goal}" if goal else "")


def compare(running: SupervisorClient, shares: tuple[int, ...], seconds: float, goals: Goals) -> None:
    """Print the errors of pytest-twin, and of the peer if it is installed."""
    peer = program("stress-ng", "apt-get install stress-ng")
    for share in shares:
        part = parse_load({"cpu": f"{share}%"}, KINDS).parts[0]
        tell("pytest-twin", share, held(our_load(running, part), share, seconds), goals)
        if peer:
            tell("stress-ng", share, held(their_load(peer, share), share, seconds), None)


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10, help="duration of the measurement of each share")
    parser.add_argument("--shares", type=int, nargs="*", default=SHARES, help="shares in per cent of the host")
    given = parser.parse_args()
    with supervisor() as running:
        for name, scene, shares, goals in (
            ("nothing else", nullcontext(), tuple(given.shares), GOALS),
            ("beside another 30 %", other_load(30), BESIDE, (0.5, 0.5, 0.5, 0.5, None)),
        ):
            print(f"{name}:")
            with scene:
                compare(running, shares, given.seconds, goals)


if __name__ == "__main__":
    main()
