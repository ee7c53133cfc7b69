"""Describe what is wrong with the files of a run."""

from __future__ import annotations

import os
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from pytest_twin.model.version import __version__

TIME, LONGEST_START = b"timestamp,", 1 << 16  # the first column of a table with times; bytes of its first two lines


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
    yield from zone_problems(path, file)


def zone_problems(path: Path, file: IO[bytes]) -> Iterator[str]:
    """Yield a remark if the times of a table have no zone, as those of the old scripts, which wrote local times.

    Args:
        path: The path of the table.
        file: The table, open; its first column has the times.
    """
    file.seek(0)
    heading, *rows = file.read(LONGEST_START).splitlines()[:2] or [b""]
    has_times = bool(rows) and heading.removeprefix(BOM_UTF8).startswith(TIME)
    cell = rows[0].partition(b",")[0].decode(errors="replace") if has_times else ""
    try:
        has_zone = datetime.fromisoformat(cell).tzinfo is not None
    except ValueError:
        return
    if not has_zone:
        yield f"{path} has times without a zone, which are taken as UTC"


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
