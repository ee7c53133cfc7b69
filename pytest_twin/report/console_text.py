"""The text that rich prints, with colours in a terminal only."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console

from pytest_twin.report.wording import TERMINAL_WIDTH, terminal_width, wrap_line


def console_text(print_to: Callable[[Console], None], *, plain: bool = False) -> str:
    """Return what a function prints to a console.

    Args:
        print_to: The function.
        plain: Without styles and with a fixed width, for a file.
    """
    console = Console(width=TERMINAL_WIDTH, color_system=None) if plain else Console(width=terminal_width())
    with console.capture() as captured:
        print_to(console)
    return "\n".join(line.rstrip() for line in captured.get().rstrip("\n").split("\n"))


def print_line(console: Console, text: str, style: str | None = None) -> None:
    """Print a line of text, broken between words where it is too wide.

    Args:
        console: Where to print.
        text: The line; what continues it is indented by two spaces more.
        style: Its style.
    """
    for line in wrap_line(text, console.width):
        console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)
