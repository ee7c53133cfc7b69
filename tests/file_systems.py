"""The file system of a folder."""

from __future__ import annotations

from pathlib import Path

import psutil


def is_in_memory(folder: Path) -> bool:
    """Whether a folder is on a tmpfs, as /tmp is on many systems: what is written there goes to no disk."""
    mounts = [each for each in psutil.disk_partitions(all=True) if folder.is_relative_to(each.mountpoint)]
    return max(mounts, key=lambda each: len(each.mountpoint)).fstype == "tmpfs"
