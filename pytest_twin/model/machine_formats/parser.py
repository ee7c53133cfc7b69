"""Recognize the format of a recording by its content, and parse it."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_twin.model.machine_formats import sysstat, vmstat
from pytest_twin.model.machine_formats.recorded_series import RecordingError
from pytest_twin.model.machine_formats.timed_table import Blocks, read_table
from pytest_twin.model.machine_recording import MachineRecording

BLOCK = 1 << 21  # characters that are parsed at a time

__all__ = ["RecordingError", "parse_blocks", "parse_text"]


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


def _text(blocks: Blocks) -> str:
    return b"".join(blocks()).decode("utf-8-sig", "replace")


def _blocks(text: str) -> Iterable[bytes]:
    """Yield a text in blocks of whole lines."""
    at = 0
    while at < len(text):
        end = text.find("\n", at + BLOCK) + 1 or len(text)
        yield text[at:end].encode("utf-8", "replace")
        at = end
