"""The keys of JSON documents for programs, each with its schema and the function that returns its value."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

TEXT, NUMBER, WHOLE, BOOLEAN = "string", "number", "integer", "boolean"


@dataclass(frozen=True)
class DocumentField:
    """One key of a document: its schema, and the function that returns its value."""

    type: str
    meaning: str
    of: Callable[[Any], Any]
    can_miss: bool = False
    more: Mapping[str, Any] | None = None

    @property
    def schema(self) -> dict[str, Any]:
        """Its part of the schema."""
        kind: Any = [self.type, "null"] if self.can_miss else self.type
        return {"type": kind, **(self.more or {}), "description": self.meaning}


def values_of(fields: Mapping[str, DocumentField], of: object) -> dict[str, Any]:
    """Return the object with these keys that describes something."""
    return {name: field.of(of) for name, field in fields.items()}


def fields_schema(fields: Mapping[str, DocumentField]) -> dict[str, Any]:
    """Return the schema of an object with exactly these keys."""
    return object_schema({name: field.schema for name, field in fields.items()})


def object_schema(properties: Mapping[str, Any], optional: Collection[str] = ()) -> dict[str, Any]:
    """Return the schema of an object with exactly these keys, of which some may be missing."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }
