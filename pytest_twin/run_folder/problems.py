"""Describe what is wrong with the files of a run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from pytest_twin.model.version import __version__


def table_problems(path: Path, file: IO[bytes], damaged: int) -> Iterator[str]:
    """Yield what is wrong with a table.

    Args:
        path: The path of the table.
        file: The table, open.
        damaged: The number of rows and cells that could not be read.
    """
    if not file.seek(0, os.SEEK_END):
        yield f"{path} is empty"
    else:
        file.seek(-1, os.SEEK_END)
        if file.read(1) != b"\n":
            yield f"{path} ends in the middle of a row, which is skipped"
    if damaged:
        yield f"{path} is damaged: {damaged} rows or cells are skipped"


def fingerprint_problems(path: Path, document: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield a warning if the run was written by another version, or the fingerprint is not JSON.

    Args:
        path: The file.
        document: Its content; None if it cannot be read.
    """
    if document is None:
        if path.exists():
            yield f"{path} is not a JSON object"
        return
    version = str(document.get("pytest_twin"))
    if version.split(".")[:2] != __version__.split(".")[:2]:
        yield f"{path} was written by pytest-twin {version}, and this is {__version__}: some of it may not be read"
