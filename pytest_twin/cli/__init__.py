"""The command line ``pytest-twin``: one file a subcommand, each with a click command named ``command``."""

from __future__ import annotations

import os
from importlib import import_module

import click

from pytest_twin.model.error_text import truncated, unknown
from pytest_twin.model.version import __version__


class Commands(click.Group):
    """Find subcommands by their files, and import only the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names of the subcommands."""
        names = (name.removesuffix(".py") for name in os.listdir(os.path.dirname(__file__)))
        return sorted(name for name in names if not name.startswith("_"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a subcommand; None if there is none of this name."""
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = import_module(f"{__name__}.{cmd_name}").command
        command.name = cmd_name
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the subcommand of the arguments; where there is none, name the most similar one."""
        known = self.list_commands(ctx)
        if args[0] not in known:
            ctx.fail(unknown(args[0], known, "command"))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the subcommands with the first paragraph of their help, wrapped; click would cut it to one line."""
        commands = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        rows = [(name, _first_paragraph(command)) for name, command in commands.items() if command]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> object:
        """Run a subcommand; report an unusable file in one line instead of a traceback."""
        try:
            return super().invoke(ctx)
        except OSError as error:
            if error.filename is None:
                raise
            raise click.ClickException(f"{truncated(str(error.filename))}: {error.strerror}") from None


def _first_paragraph(command: click.Command) -> str:
    return " ".join((command.help or "").partition("\n\n")[0].split())


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="pytest-twin")
def main() -> None:
    """Record a machine, apply loads to it, and report on runs."""
