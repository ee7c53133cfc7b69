"""Whether the trace of a run is exported, by the samplers of the specification of OpenTelemetry."""

from __future__ import annotations

from collections.abc import Mapping

PARENT_BASED = "parentbased_"


def is_sampled(environ: Mapping[str, str], trace: bytes, parent: bool | None) -> bool:
    """Tell whether the trace is to be exported.

    Args:
        environ: The environment, with ``OTEL_TRACES_SAMPLER`` and its argument.
        trace: The id of the trace.
        parent: Whether the parent is sampled; None without a parent.
    """
    sampler = environ.get("OTEL_TRACES_SAMPLER", "").strip().lower() or f"{PARENT_BASED}always_on"
    if sampler.startswith(PARENT_BASED):
        if parent is not None:
            return parent
        sampler = sampler.removeprefix(PARENT_BASED)
    if sampler == "traceidratio":
        return int.from_bytes(trace[8:], "big") < round(_ratio(environ) * 2**64)
    return sampler != "always_off"


def _ratio(environ: Mapping[str, str]) -> float:
    try:
        return min(1.0, max(0.0, float(environ.get("OTEL_TRACES_SAMPLER_ARG", "1"))))
    except ValueError:
        return 1.0
