"""The process that exports a run to Prometheus: reads the files of the run as they grow, until the run ends."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from pytest_twin.export._detached_program import PID, say
from pytest_twin.export.prometheus.config import PrometheusConfig
from pytest_twin.run_folder.folder import RunFolder
from pytest_twin.stressors.system.parent import is_alive

if TYPE_CHECKING:
    from pytest_twin.export.prometheus.collector import RunCollector
    from pytest_twin.export.prometheus.outlets import Outlet

READ_S = 1.0  # between two readings, so that none has much to read
READY, ERROR, SETTING, PROBLEMS = "ready", "error", "setting", "problems"  # keys of the messages
FOLDER, EPOCH, COLLECTED = "folder", "epoch", "collected"
END = b"\n"  # also put for the end of stdin, which a fork of a test may keep open


def main(paths: str, parent: int) -> None:
    """Open the ways to Prometheus, and serve until stdin or the parent ends.

    Args:
        paths: The module search path of the run as JSON: packages may be only there.
        parent: The id of the process that runs the tests.
    """
    sys.path += [path for path in json.loads(paths) if path not in sys.path]
    from pytest_twin.export.prometheus.collector import RunCollector
    from pytest_twin.export.prometheus.outlets import OutletError, open_outlets
    from pytest_twin.export.prometheus.run_metrics import MetricOptions

    line = sys.stdin.buffer.readline()
    if not line:  # the parent has ended
        return
    wanted = PrometheusConfig.from_json(line.decode())
    run = RunCollector(None, MetricOptions(wanted.has_host, wanted.tests))
    try:
        outlets = open_outlets(wanted, run.registry(), platform.node())
    except OutletError as error:
        say({ERROR: str(error), SETTING: error.setting})
        return
    say({READY: [each.text for each in outlets], PID: os.getpid()})
    problems = _serve(run, outlets, parent, keep=wanted.keep)
    say({PROBLEMS: list(problems)})
    os._exit(0)  # the run waits for this end; a scrape that still goes on is of no use


def _serve(run: RunCollector, outlets: list[Outlet], parent: int, *, keep: bool) -> Mapping[str, None]:
    """Export until the end of the run, and return the problems."""
    from pytest_twin.export.prometheus.outlets import OutletError

    messages = _lines_of_stdin()
    problems: dict[str, None] = {}
    due = dict.fromkeys(range(len(outlets)), 0.0)  # the times of their next updates
    is_over = False
    while not is_over:
        try:
            message = messages.get(timeout=READ_S)
        except Empty:
            message = None
        is_over = message == END or not is_alive(parent)
        if message and not is_over:
            news = json.loads(message)
            if FOLDER in news:
                run.follow(RunFolder(Path(news[FOLDER])), news[EPOCH])
                due = dict.fromkeys(due, 0.0)  # at once: the run may be over soon
            else:
                run.expect(news[COLLECTED])
        run.read()
        if is_over:
            run.complete(time.time())
        for place, outlet in enumerate(outlets):
            try:
                if is_over:
                    outlet.close(keep=keep)
                elif run.is_following and outlet.every_s and time.monotonic() >= due[place]:
                    outlet.update()
                    due[place] = time.monotonic() + outlet.every_s
            except OutletError as error:
                problems[str(error)] = None
                due[place] = time.monotonic() + outlet.every_s
    return problems


def _lines_of_stdin() -> SimpleQueue[bytes]:
    """Return a queue that receives the lines of stdin, and `END` at its end."""
    lines: SimpleQueue[bytes] = SimpleQueue()

    def listen() -> None:
        while line := sys.stdin.buffer.readline():
            lines.put(line)
        lines.put(END)

    Thread(target=listen, daemon=True).start()
    return lines
