"""One line on how an export went."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_twin.export.otlp.config import OtlpConfig

WARNING = "warning: otlp: "
LONGEST = 300  # of what a collector says


def outcome_line(config: OtlpConfig, result: Mapping[str, Any], advice: str = "") -> str:
    """Return a line for people; one that begins with `WARNING` if not everything was sent.

    Args:
        config: What was to be exported.
        result: The result of the process that exports.
        advice: What to do if it was not sent.
    """
    if config.disabled:
        return f"otlp: nothing is exported, because {config.disabled}"
    spans, points = (int(result.get(name) or 0) for name in ("spans", "points"))
    sent = f"{spans:,} spans and {points:,} metric points"
    rejected = "; ".join(f"{signal}: {text}" for signal, text in result.get("rejected", {}).items())
    if problem := _one_line(str(result.get("problem") or "")):
        part = f", after {sent}" if spans else ""
        return f"{WARNING}{problem}{part}{f'; {advice}' if advice else ''}"
    if rejected:
        return f"{WARNING}{config.place} did not take all: {_one_line(rejected)}"
    trace = f", trace {result['trace']}" if result.get("trace") else ""
    return f"otlp: {sent} sent to {config.place}{trace}"


def _one_line(text: str) -> str:
    return " ".join(text.split())[:LONGEST]
