"""A run for other programs: each file without an underscore is one format.

A format is a module with these names; ``pytest-twin export --format NAME`` finds it by its file name:

- ``FILE``: the name of its file, which is written into `FOLDER` of the run folder.
- ``BEGINNING``: the text or the bytes that each of its files begins with; an existing file that begins with something
  else is not replaced.
- ``lines(summary)``: yields the text of a `RunSummary`; or, in its place,
- ``write(summary, file)``: writes a `RunSummary` into a binary file.
- ``NEEDS`` (optional): the modules that have to be installed, with the command that installs each.
- ``is_own(path)`` (optional): whether a file with this beginning is of this format.

Other packages add theirs as entry points in the group `ENTRY_POINTS`. There ``lines`` and ``write`` take the public
`Run` in the place of the summary.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pytest_twin.analysis.run.run_summary import RunSummary
    from pytest_twin.model.run import Run

FOLDER = "export"
ENTRY_POINTS = "pytest_twin.exporters"


class FormatError(Exception):
    """A format cannot be used; the message is for the user."""


class ExportFormat(NamedTuple):
    """A format.

    Attributes:
        name: Its name on the command line.
        file: The usual name of its file.
        beginning: What each of its files begins with.
        write: Writes a run into a binary file.
        is_own: Tells whether a file with this beginning is of this format.
    """

    name: str
    file: str
    beginning: str | bytes
    write: Callable[[RunSummary, IO[bytes]], None]
    is_own: Callable[[Path], bool]


def find_formats() -> dict[str, str]:
    """Return the modules of the formats by their names, which have dashes as the command line has them.

    A format of ours has precedence over one of another package.
    """
    files = (name.removesuffix(".py") for name in os.listdir(os.path.dirname(__file__)) if name.endswith(".py"))
    ours = {name.replace("_", "-"): f"{__name__}.{name}" for name in files if not name.startswith("_")}
    return dict(sorted({**_external_modules(), **ours}.items()))


def _external_modules() -> dict[str, str]:
    from importlib.metadata import entry_points

    return {entry.name.replace("_", "-"): entry.value for entry in entry_points(group=ENTRY_POINTS)}


def load_format(name: str) -> ExportFormat:
    """Import a format.

    Args:
        name: One of `find_formats`.

    Raises:
        FormatError: A module that it needs is not installed, or a format of another package is broken.
    """
    path = find_formats()[name]
    is_ours = path.startswith(f"{__name__}.")
    try:
        module: Any = import_module(path)
        _check_needs(name, getattr(module, "NEEDS", {}))
        write = getattr(module, "write", None) or _text_writer(module.lines)
        is_own = getattr(module, "is_own", lambda _: True)
        return ExportFormat(name, module.FILE, module.BEGINNING, write if is_ours else _run_writer(write), is_own)
    except FormatError:
        raise
    except Exception as error:
        if is_ours:
            raise
        text = " ".join(str(error).split()) or type(error).__name__
        raise FormatError(f"{name}: the module {path} cannot be used: {text}") from None


def _check_needs(name: str, needs: Mapping[str, str]) -> None:
    """Check that modules are installed, without importing them.

    Raises:
        FormatError: One is not.
    """
    for module, command in needs.items():
        with suppress(ModuleNotFoundError):  # of a package that it is within
            if find_spec(module) is not None:
                continue
        raise FormatError(f"{name} needs {module.partition('.')[0]}; {command}")


def _text_writer(lines: Callable[[Any], Iterable[str]]) -> Callable[[Any, IO[bytes]], None]:
    """Return the function that writes the text of a run."""

    def write(run: Any, file: IO[bytes]) -> None:
        file.writelines(piece.encode("utf-8", "backslashreplace") for piece in lines(run))

    return write


def _run_writer(write: Callable[[Run, IO[bytes]], None]) -> Callable[[RunSummary, IO[bytes]], None]:
    return lambda summary, file: write(summary.run, file)
