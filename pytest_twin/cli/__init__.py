"""The shell door: one file a subcommand, each with a ``command``."""

from __future__ import annotations

import os
from importlib import import_module

import click

from pytest_twin.model.error_text import truncated
from pytest_twin.model.version import __version__


class Commands(click.Group):
    """Finds the subcommands by their files, and imports only the one that is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The names of the subcommands."""
        names = (name.removesuffix(".py") for name in os.listdir(os.path.dirname(__file__)))
        return sorted(name for name in names if not name.startswith("_"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """One subcommand."""
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = import_module(f"{__name__}.{cmd_name}").command
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run a subcommand; a file that cannot be used is told in one line, wherever that was found."""
        try:
            return super().invoke(ctx)
        except OSError as error:
            if error.filename is None:
                raise
            raise click.ClickException(f"{truncated(str(error.filename))}: {error.strerror}") from None


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="pytest-twin")
def main() -> None:
    """Record a machine, put it under a known load, play schedules of loads."""
