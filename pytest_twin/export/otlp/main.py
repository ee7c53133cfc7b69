"""The program of the process that exports a run by OTLP.

It is run as a file, with the search path of modules as JSON for an argument. It imports what it needs, and waits on
stdin for its order, which has the configuration: that may have passwords, which nobody may see in a list of processes.
It writes lines of JSON: its process id, what it has sent so far, and the result. It ends with stdin.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys

if not __package__:  # run as a file: import from the folder of the package, and not from the folder of this file
    sys.path[0 : not sys.flags.safe_path] = [os.path.abspath(f"{__file__}/../../../..")]

from pytest_twin.export._detached_program import PID, leave_parent, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

GRACE_S = 1.0  # beyond the limit, until the kernel ends the process


def main(paths: str) -> None:
    """Wait for the order, and export.

    Args:
        paths: The module search path of the run as JSON: packages may be only there.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all; the run ends this process
    say({PID: os.getpid()})
    sys.path += [path for path in json.loads(paths) if path not in sys.path]
    try:
        from pytest_twin.export.otlp import exporter
    except ImportError as error:
        say({"problem": f"{error}; pip install 'pytest-twin[export]'"})
        return
    gc.disable()  # it would look through all that is built, which lives until the end
    exporter.declared_columns()
    line = sys.stdin.buffer.readline()
    if not line:
        return
    order = json.loads(line)
    if order["limit_s"] is not None and sys.platform != "win32":
        signal.setitimer(signal.ITIMER_REAL, order["limit_s"] + GRACE_S)  # looking up a name knows no limit
    _end_with_stdin()
    _export(exporter, order)


def _end_with_stdin() -> None:
    from threading import Thread

    def watch() -> None:
        sys.stdin.buffer.read()
        os._exit(1)

    Thread(target=watch, daemon=True).start()


def _export(exporter: Any, order: dict[str, Any]) -> None:
    from dataclasses import asdict
    from pathlib import Path

    from pytest_twin.export.otlp.config import OtlpConfig, OtlpError

    config = OtlpConfig.from_json(order["config"])
    try:
        export = exporter.RunExport(Path(order["folder"]), config, order["host"])
        sender = exporter.RunSender(export, config, order["limit_s"], lambda result: say(asdict(result)))
        say({**asdict(sender.send(order["most_points"])), "is_last": True})
    except OtlpError as error:
        say({"problem": str(error)})
    except Exception as error:  # noqa: BLE001 - the run reports it in one line
        say({"problem": f"error in pytest-twin: {type(error).__name__}: {error}"})


if __name__ == "__main__":
    leave_parent()
    main(sys.argv[1])
    os._exit(0)  # nothing of what the modules would tidy up is of use
