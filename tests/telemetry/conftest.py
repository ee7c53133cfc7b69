"""Folders as the kernel has them, made up."""

from __future__ import annotations

import pytest


@pytest.fixture
def write(tmp_path):
    """Writes a file of the made-up kernel; a second time over the first, as the kernel does."""

    def write(name: str, text: str) -> None:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")

    return write


@pytest.fixture
def kernel(tmp_path) -> str:
    """The folder that they are in."""
    return str(tmp_path)
