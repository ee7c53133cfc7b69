"""Where a gateway of execnet's leads: to another host or not, and what that host is called."""

from __future__ import annotations

import re
import shlex
from typing import Any

from pytest_twin.settings import DEVICES

WITH_VALUE = frozenset("BbcDEeFIiJLlmOoPpQRSWw")  # options of ssh(1) that have one


def is_remote(spec: Any) -> bool:
    """Whether a gateway leads to another host, or to one whose files we do not see."""
    return bool(spec.ssh or spec.socket or spec.vagrant_ssh or spec.via)


def address_of(spec: Any) -> str:
    """Where a gateway leads, in the words in which it was asked for."""
    if spec.ssh:
        return _destination(spec.ssh)
    return str(spec.socket or spec.vagrant_ssh or spec.via or "")


def name_of(address: str) -> str:
    """What the host at an address is called: no user, no port, and safe as the name of a folder everywhere."""
    host = address.rpartition("@")[2]
    host = re.sub(r"^([^:]+):\d+$", r"\1", host)
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", host).strip("-.")[:60].strip("-.") or "host"
    return f"_{name}" if name.partition(".")[0].upper() in DEVICES else name


def _destination(words: str) -> str:
    """The destination among the words of an ssh command."""
    found = iter(shlex.split(words))
    for word in found:
        if not word.startswith("-"):
            return word
        if len(word) == 2 and word[1] in WITH_VALUE:
            next(found, "")
    return words
