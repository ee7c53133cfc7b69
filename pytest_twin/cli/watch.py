"""``pytest-twin watch``: show the live view of a run that another process records."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import click

from pytest_twin.cli._live_view import LiveView
from pytest_twin.cli._options import settings_of, stop_on_signals
from pytest_twin.report.live.follower import RunFollower
from pytest_twin.run_folder.folder import RunFolder

OVER_AFTER_S, OVER_AFTER_ROWS = 5.0, 5


@click.command
@click.argument("report_dir", metavar="[DIR]", required=False, type=click.Path(path_type=Path))
def command(report_dir: Path | None) -> None:
    """Show a run while it is recorded.

    It may be that of pytest --twin in another shell.

    DIR is the report directory of the run, which need not exist yet. The command ends on Ctrl-C, or if no row is
    written for five intervals and at least five seconds.
    """
    folder = RunFolder(settings_of({"report_dir": report_dir}).report_dir)
    follower = RunFollower(folder)

    def timeout() -> float:
        return max(OVER_AFTER_S, OVER_AFTER_ROWS * (follower.minute.interval or 0.0))

    def is_over() -> bool:
        return bool(follower.minute.rows) and follower.silent_s >= timeout()

    def facts() -> dict[str, Any]:
        if not folder.path.is_dir():
            return {"message": "waiting for the run folder"}
        if not is_over():
            return {}
        message = f"no new row for {follower.silent_s:.0f} s: the run is over"
        return {"message": message, "elapsed_s": follower.minute.elapsed_s}

    with stop_on_signals() as stop, closing(follower):
        view = LiveView(follower, lambda: follower.elapsed_s)
        view.wait(stop, over=lambda: is_over() or not view.is_seen, facts=facts)
