"""Running a stressor from the command line: parsers of its flags, the load, and a line about what was achieved."""

from __future__ import annotations

import argparse
import math
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pytest_twin.stressors.spec.request import LoadRequest
from pytest_twin.stressors.supervisor.load_manager import LoadManager
from pytest_twin.stressors.system.capacity import MIB
from pytest_twin.stressors.worker.process import reset_sigchld

if TYPE_CHECKING:
    from pytest_twin.stressors.spec.kind import Kind
    from pytest_twin.stressors.spec.profile import Points

AUXILIARY = ("asked_", "mean_", "of_")  # figures that others are compared with


def parser(doc: str | None) -> argparse.ArgumentParser:
    """Return a parser with the first paragraph of a docstring as its description."""
    return argparse.ArgumentParser(description=(doc or "").partition("\n\n")[0], allow_abbrev=False)


def at_least(least: float, number: Callable[[str], float] = float) -> Callable[[str], float]:
    """Return the type of a flag: a finite number with a minimum.

    Raises:
        argparse.ArgumentTypeError: From the type, for a text that is no such number.
    """

    def parse(text: str) -> float:
        kind = "a whole number" if number is int else "a number"
        try:
            value = number(text)
        except ValueError:
            value = math.nan
        if not least <= value < math.inf:
            raise argparse.ArgumentTypeError(f"{text!r} is not {kind} of at least {least}")
        return value

    return parse


def staircase(step: float, steps: int, hold: float) -> Points:
    """Return a profile of equal steps upwards, each held for `hold` seconds."""
    points: Points = [(0.0, step)]
    for number in range(1, steps):
        points += [(number * hold, number * step), (number * hold, (number + 1) * step)]
    return points


def run_standalone(
    kind: Kind, *, unit: str, profile: Points, duration: float | None, options: dict[str, Any] | None = None
) -> None:
    """Apply one load until it ends or SIGINT or SIGTERM arrives, print what was achieved, and exit."""
    request = LoadRequest(id="load", module=kind.module, unit=unit, profile=profile, options=options, duration=duration)
    failed = False

    def on_reply(reply: dict[str, Any]) -> None:
        nonlocal failed
        if reply["event"] == "ready":
            print(f"{kind.type} load ready: {len(reply['pids'])} process(es)", flush=True)
            return
        if "id" not in reply:  # this process was frozen for a while, as by Ctrl-Z or with the whole machine
            return
        failed = reply["event"] == "abort"
        print(f"{kind.type} load {'failed' if failed else 'ended'} ({reply['reason']}): {_describe(reply)}", flush=True)

    reset_sigchld()
    manager = LoadManager(on_reply)
    manager.loop.on_signals([signal.SIGINT, signal.SIGTERM], lambda: manager.stop(request.id))
    manager.apply(request)
    while manager.busy:
        manager.loop.run_once()
    sys.exit(1 if failed else 0)


def _describe(reply: dict[str, Any]) -> str:
    figures = dict(reply["achieved"])
    held_s = reply["at"] - reply["since"] if reply["since"] is not None else 0.0
    words = [f"{held_s:.1f} s", f"{figures.pop('cpu_s', 0):.2f} CPU s"]
    words += [
        f"{value / MIB:.0f} MiB {name.removesuffix('_bytes')}" for name, value in figures.items() if _is_size(name)
    ]
    words += [
        value if isinstance(value, str) else f"{value:.6g} {name.replace('_', ' ')}"
        for name, value in figures.items()
        if not name.startswith(AUXILIARY) and not name.endswith(("_bytes", "_s")) and name != "coverage"
    ]
    return ", ".join(words)


def _is_size(name: str) -> bool:
    return name.endswith("_bytes") and not name.startswith(AUXILIARY) and name not in {"resident_bytes", "moved_bytes"}
