"""The text that rich prints, with colours in a terminal only."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console

WIDE = 160  # where there is no terminal


def console_text(print_to: Callable[[Console], None], *, plain: bool = False) -> str:
    """Return what a function prints to a console.

    Args:
        print_to: The function.
        plain: Without colours and with a fixed width, for a file; always so without a terminal.
    """
    console = Console()
    if plain or not console.is_terminal:
        console = Console(width=WIDE, no_color=True)
    with console.capture() as captured:
        print_to(console)
    return captured.get().rstrip("\n")
