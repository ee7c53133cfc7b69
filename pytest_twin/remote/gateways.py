"""The destination of a gateway of execnet: whether it is another host, and the name of that host."""

from __future__ import annotations

import re
import shlex
from typing import Any

from pytest_twin.model.safe_names import safe

OPTIONS_WITH_VALUE = frozenset("BbcDEeFIiJLlmOoPpQRSWw")  # of ssh(1)


def is_remote(spec: Any) -> bool:
    """Return whether a gateway leads to another host, or to one with a file system of its own."""
    return bool(spec.ssh or spec.socket or spec.vagrant_ssh or spec.via)


def address_of(spec: Any) -> str:
    """Return the destination of a gateway as the user wrote it, without the user name, which no file should contain."""
    address = _destination(spec.ssh) if spec.ssh else str(spec.socket or spec.vagrant_ssh or spec.via or "")
    return address.rpartition("@")[2]


def name_of(address: str) -> str:
    """Return the name of the host at an address: without the port, and valid as the name of a folder everywhere."""
    host = re.sub(r"^([^:]+):\d+$", r"\1", address)
    return safe(host, "host")


def _destination(arguments: str) -> str:
    """Return the destination among the arguments of an ssh command."""
    words = iter(shlex.split(arguments))
    for word in words:
        if not word.startswith("-"):
            return word
        if len(word) == 2 and word[1] in OPTIONS_WITH_VALUE:
            next(words, "")
    return arguments
