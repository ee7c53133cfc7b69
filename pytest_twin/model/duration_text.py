"""Format durations for people."""

from __future__ import annotations

import math

NOTHING = "–"  # noqa: RUF001 - a dash, and no minus


def format_duration(seconds: float | None) -> str:
    """Format a duration: ``1.2 ms``, ``340 ms``, ``5.25 s``, ``12.3 s``, ``2:05 min``, ``1:00:00 h``."""
    if seconds is None or math.isnan(seconds):
        return NOTHING
    if 0.00005 <= seconds < 0.9995:
        return f"{seconds * 1000:.{1 if seconds < 0.00995 else 0}f} ms"
    if seconds < 59.95:
        return f"{seconds:.{0 if seconds < 0.1 else 2 if seconds < 9.995 else 1}f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} h" if hours else f"{minutes}:{rest:02} min"
