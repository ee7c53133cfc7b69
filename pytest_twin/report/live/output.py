"""The outputs of the live view: a place in a terminal that is redrawn, or occasional lines in a log."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol, TextIO

from pytest_twin.report.live.view import ViewState, frame, glyphs_for, plain
from pytest_twin.report.wording import terminal_width

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

SHORTEST_S, LONGEST_S, PART = 5.0, 60.0, 10
UP, ERASE_LINE, ERASE_BELOW = "\x1b[{}A", "\x1b[K", "\x1b[J"


class Output(Protocol):
    """An output of the live view."""

    def show(self, state: ViewState) -> None:
        """Show a state."""
        ...


class TerminalOutput:
    """A terminal: the view is redrawn in place, text above it is kept, and the last state remains.

    `rich.live.Live` assumes that its lines stand as written; a terminal that was made narrower has wrapped them.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._glyphs = glyphs_for(console.encoding)
        self._widths: Sequence[int] = ()  # of the lines that stand there

    def show(self, state: ViewState) -> None:
        """Redraw the view."""
        size = self._console.size
        # a line that fills the terminal, or a last one at its lower edge, would move what is above
        lines = frame(state, size.width - 1, max(1, size.height - 1), self._glyphs)
        up = sum(max(1, -(-width // size.width)) for width in self._widths)
        text = self._rendered(lines).replace("\n", f"{ERASE_LINE}\n")
        self._console.file.write("\r" + (UP.format(up) if up else "") + text + ERASE_BELOW)
        self._console.file.flush()
        self._widths = [line.cell_len for line in lines]

    def _rendered(self, lines: Sequence[Text]) -> str:
        from rich.text import Text

        with self._console.capture() as captured:
            self._console.print(Text("\n").join(lines), no_wrap=True, overflow="crop")
        return captured.get()


class LogOutput:
    """A log: an entry with the first sample, then one every 5 s to 60 s, a tenth of the total time if that is known.

    Where there is none to wait for yet, it says so once.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._glyphs = glyphs_for(file.encoding or "ascii")
        self._next_s, self._is_waiting = 0.0, False

    def show(self, state: ViewState) -> None:
        """Write an entry if it is due."""
        if not state.minute.rows and state.message and not self._is_waiting:
            self._is_waiting = True
            self._write(f"{state.where}: {state.message}")
        if state.elapsed_s < self._next_s or not state.minute.rows:
            return
        whole = state.elapsed_s if state.total_s is None else state.total_s
        self._next_s = state.elapsed_s + min(max(whole / PART, SHORTEST_S), LONGEST_S)
        stamp = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        self._write(plain(state, stamp, self._glyphs, terminal_width()))

    def _write(self, text: str) -> None:
        self._file.write(f"{text}\n")
        self._file.flush()


class NullOutput:
    """No output, since standard error was closed."""

    def show(self, state: ViewState) -> None:
        """Show nothing."""


def output_for_stderr() -> Output:
    """Return the output that suits standard error."""
    if sys.stderr is None:
        return NullOutput()
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        return LogOutput(sys.stderr)
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    return LogOutput(sys.stderr) if console.legacy_windows else TerminalOutput(console)
