"""The text that rich prints, with colours in a terminal only."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import wrap

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


def print_line(console: Console, text: str, style: str | None = None) -> None:
    """Print a line of text: broken between words in a terminal, whole in a file.

    Args:
        console: Where to print.
        text: The line; what continues it is indented by two spaces more.
        style: Its style.
    """
    indent = " " * (len(text) - len(text.lstrip()))
    is_whole = not console.is_terminal or len(text) <= console.width
    lines = [text] if is_whole else wrap(
        text.lstrip(), console.width, initial_indent=indent, subsequent_indent=f"{indent}  ", break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip
    for line in lines:
        console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)
