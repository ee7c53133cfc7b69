"""A span as plain data, before it is encoded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import shake_256
from typing import NamedTuple

Value = str | bool | int | float
Attributes = Mapping[str, Value]

TRACE_BYTES, SPAN_BYTES = 16, 8
IDS_AT_ONCE = 1024


class SpanIds(NamedTuple):
    """The ids by which a span is referred to."""

    trace: bytes
    span: bytes


class SpanEvent(NamedTuple):
    """Something that happened within a span, at a time in nanoseconds since 1970."""

    at: int
    name: str
    attributes: Attributes


class SpanLink(NamedTuple):
    """A reference to another span."""

    ids: SpanIds
    attributes: Attributes


@dataclass(slots=True, eq=False)
class OtlpSpan:
    """A span.

    Attributes:
        name: Its name, of which there are few.
        ids: Its ids.
        parent: The id of its parent; empty for the root of a trace.
        start: Its start in nanoseconds since 1970.
        end: Its end.
        attributes: What is known of it.
        host: The host on which it was; empty for that of pytest.
        error: Why it failed; None if it did not.
        is_remote_child: Whether its parent is of another process.
        events: What happened within it.
        links: The spans that it refers to.
    """

    name: str
    ids: SpanIds
    parent: bytes
    start: int
    end: int
    attributes: Attributes
    host: str = ""
    error: str | None = None
    is_remote_child: bool = False
    events: list[SpanEvent] = field(default_factory=list)
    links: list[SpanLink] = field(default_factory=list)


class IdSource:
    """Makes ids of a run that are always the same: a run that is exported again is not a second one."""

    def __init__(self, identity: bytes) -> None:
        self._identity, self._block = identity, 0
        self._ids = self._draw()

    def span(self) -> bytes:
        """Return the next id of a span."""
        return next(self._ids)

    def trace(self) -> bytes:
        """Return the next id of a trace."""
        return next(self._ids) + next(self._ids)

    def _draw(self) -> Iterator[bytes]:
        while True:
            seed = self._identity + self._block.to_bytes(8, "big")
            drawn = shake_256(seed).digest(SPAN_BYTES * IDS_AT_ONCE)
            self._block += 1
            yield from (drawn[at : at + SPAN_BYTES] for at in range(0, len(drawn), SPAN_BYTES))
