"""Format a schedule as text."""

from __future__ import annotations

import json
from collections.abc import Mapping


def format_schedule(document: Mapping[str, object]) -> str:
    """Format the document of a schedule as JSON with one event a line, for readers and for diffs."""
    lines = []
    for key, value in document.items():
        if isinstance(value, list):
            inner = ",\n".join(f"  {json.dumps(event, ensure_ascii=False)}" for event in value)
            lines.append(f' "{key}": [\n{inner}\n ]')
        else:
            lines.append(f' "{key}": {json.dumps(value, ensure_ascii=False)}')
    return "{\n" + ",\n".join(lines) + "\n}"
