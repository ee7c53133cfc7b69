"""Where a gateway of execnet's leads: to another host or not, and what that host is called."""

from __future__ import annotations

import re
import shlex
from typing import Any

from pytest_twin.model.safe_names import safe

WITH_VALUE = frozenset("BbcDEeFIiJLlmOoPpQRSWw")  # options of ssh(1) that have one


def is_remote(spec: Any) -> bool:
    """Whether a gateway leads to another host, or to one whose files we do not see."""
    return bool(spec.ssh or spec.socket or spec.vagrant_ssh or spec.via)


def address_of(spec: Any) -> str:
    """Where a gateway leads, as it was asked for, but for the user: who that is, no file has to tell."""
    address = _destination(spec.ssh) if spec.ssh else str(spec.socket or spec.vagrant_ssh or spec.via or "")
    return address.rpartition("@")[2]


def name_of(address: str) -> str:
    """What the host at an address is called: without the port, and safe as the name of a folder everywhere."""
    host = re.sub(r"^([^:]+):\d+$", r"\1", address)
    return safe(host, "host")


def _destination(words: str) -> str:
    """The destination among the words of an ssh command."""
    found = iter(shlex.split(words))
    for word in found:
        if not word.startswith("-"):
            return word
        if len(word) == 2 and word[1] in WITH_VALUE:
            next(found, "")
    return words
