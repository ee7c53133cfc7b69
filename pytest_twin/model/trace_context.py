"""The header ``traceparent`` of W3C Trace Context, which names the span that something belongs to."""

from __future__ import annotations

import re
from typing import NamedTuple

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})", re.ASCII)


class TraceParent(NamedTuple):
    """A span of another process.

    Attributes:
        trace: The id of its trace, 16 bytes.
        span: Its own id, 8 bytes.
        is_sampled: Whether its trace is exported.
    """

    trace: bytes
    span: bytes
    is_sampled: bool


def parse_traceparent(text: str) -> TraceParent | None:
    """Return the span that a header names; None if it is none."""
    match = _TRACEPARENT.fullmatch(text.strip())
    if match is None:
        return None
    trace, span, flags = match.groups()
    return TraceParent(bytes.fromhex(trace), bytes.fromhex(span), bool(int(flags, 16) & 1))
