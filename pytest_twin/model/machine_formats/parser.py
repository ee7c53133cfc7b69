"""Recognize the format of a recording by its content, and parse it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO

from pytest_twin.model.machine_formats import sysstat, vmstat
from pytest_twin.model.machine_formats.recorded_series import RecordingError
from pytest_twin.model.machine_formats.timed_table import Blocks, read_table
from pytest_twin.model.machine_recording import MachineRecording

BLOCK = 1 << 21  # characters that are parsed at a time

__all__ = ["RecordingError", "parse_blocks", "parse_text", "whole_lines"]


def parse_text(text: str, interval_s: float = 1.0) -> MachineRecording:
    """Parse the text of a recording; as `parse_blocks`."""
    return parse_blocks(lambda: _blocks(text), interval_s)


def parse_blocks(blocks: Blocks, interval_s: float = 1.0) -> MachineRecording:
    """Parse a recording: a table, or the text of ``sar``, ``sadf -d`` or ``vmstat``.

    Args:
        blocks: Returns the whole lines of a file, some megabytes at a time.
        interval_s: The seconds between two rows of a format that has no times.

    Raises:
        RecordingError: It is not a recording, or has impossible values; with all problems, a line each.
    """
    head = next(iter(blocks()), b"")[: 1 << 16].decode("utf-8-sig", "replace")
    for recognize, parse in ((sysstat.is_sadf, sysstat.parse_sadf), (sysstat.is_sar, sysstat.parse_sar)):
        if recognize(head):
            return parse(_text(blocks)).recording()
    if vmstat.is_vmstat(head):
        return vmstat.parse_vmstat(_text(blocks), interval_s).recording()
    return read_table(blocks).recording()


def whole_lines(file: IO[bytes]) -> Iterable[bytes]:
    """Yield the lines of a file, some megabytes at a time; the last line of the last block may have no end.

    Raises:
        RecordingError: It is no text of a recording, but UTF-16.
    """
    rest = b""
    while chunk := file.read(BLOCK):
        if b"\0" in chunk[:4]:  # as UTF-16 has between its letters
            raise RecordingError(["is not UTF-8 text; save it as UTF-8"])
        whole, end, rest = (rest + chunk).rpartition(b"\n")
        if end:
            yield whole + end
    if rest:
        yield rest


def _text(blocks: Blocks) -> str:
    return b"".join(blocks()).decode("utf-8-sig", "replace")


def _blocks(text: str) -> Iterable[bytes]:
    """Yield a text in blocks of whole lines."""
    at = 0
    while at < len(text):
        end = text.find("\n", at + BLOCK) + 1 or len(text)
        yield text[at:end].encode("utf-8", "replace")
        at = end
