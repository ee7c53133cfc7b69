"""Show how far a long measurement is: behind the present line of a terminal, or as a line of a log now and then."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from pytest_twin._system.clock import monotonic
from pytest_twin.plugin.stash import RECORDED_SESSION
from pytest_twin.report.wording import truncate_middle

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

IN_PLACE_EVERY_S, LINE_EVERY_S = 0.5, 30.0
SHORTEST = 30  # columns; with less room behind the present line nothing is shown
SAVE_CURSOR, RESTORE_CURSOR, ERASE_TO_END = "\x1b7", "\x1b8", "\x1b[K"


class Progress:
    """Shows a text now and then, and never in what a test prints.

    On a terminal the text stands behind pytest's present line, and leaves no trace. In a log, and in pytest-xdist
    workers, whose stderr is the user's, it is a line of its own.
    """

    def __init__(self, config: pytest.Config) -> None:
        """Prepare it; nothing is shown before the first interval is over."""
        self._config = config
        is_worker = hasattr(config, "workerinput")
        self._reporter: Any = None if is_worker else config.pluginmanager.get_plugin("terminalreporter")
        self._is_quiet = getattr(config.option, "verbose", 0) < 0  # there is none with -p no:terminal
        self._is_in_place = self._reporter is not None and self._reporter.isatty and self._reporter.hasmarkup
        self._every_s = IN_PLACE_EVERY_S if self._is_in_place else LINE_EVERY_S
        self._shown_at, self._is_shown = monotonic(), False

    def show(self, text: Callable[[], str]) -> None:
        """Show a text, if it is time to do so."""
        if self._is_quiet or monotonic() < self._shown_at + self._every_s:
            return
        self._shown_at = monotonic()
        if self._is_in_place:
            self._write_in_place(text())
        elif self._reporter is not None:
            with self._uncaptured():
                self._reporter.ensure_newline()
                self._reporter.write_line(f"twin: {text()}")
                self._reporter.flush()
        elif (run := self._config.stash.get(RECORDED_SESSION, None)) is not None:
            run.tell(f"{run.worker}: {text()}")

    def clear(self) -> None:
        """Remove the text from the terminal."""
        if self._is_shown:
            self._write_in_place("")

    def _write_in_place(self, text: str) -> None:
        writer = self._reporter._tw  # noqa: SLF001
        room = writer.fullwidth - writer.width_of_current_line - 2
        if text and room < SHORTEST:
            return
        shown = truncate_middle(f" {text}", room) if text else ""
        with self._uncaptured():
            self._reporter.flush()
            file = writer._file  # noqa: SLF001 - its own `write` counts the columns of the present line
            file.write(f"{SAVE_CURSOR}{ERASE_TO_END}{shown}{RESTORE_CURSOR}")
            file.flush()
        self._is_shown = bool(text)

    def _uncaptured(self) -> Any:
        """Return a context in which stdout is the terminal's, and not what pytest captures."""
        capture: Any = self._config.pluginmanager.get_plugin("capturemanager")
        return capture.global_and_fixture_disabled() if capture is not None else nullcontext()


def format_left(seconds: float) -> str:
    """Return how much time is left: ``1:05 min left``."""
    minutes, rest = divmod(round(max(0.0, seconds)), 60)
    return f"{minutes}:{rest:02} min left"
