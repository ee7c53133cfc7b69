"""The judgement on a fitted schedule and its variants in the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from pytest_twin.analysis.fidelity.gates import PASSED
from pytest_twin.analysis.fit.judgement import FitJudgement
from pytest_twin.analysis.fit.phases import Fit
from pytest_twin.analysis.fit.variants import MAX_CORRELATION_ERROR, MAX_DISTANCE, Variant
from pytest_twin.model.quantity import format_short_duration
from pytest_twin.report.console_text import console_text, print_line
from pytest_twin.report.fidelity import terminal
from pytest_twin.report.fidelity.wording import describe_verdict, failure_lines
from pytest_twin.report.wording import align, format_count

if TYPE_CHECKING:
    from rich.console import Console


def judgement_text(name: str, fit: Fit, judgement: FitJudgement) -> str:
    """Return how far a schedule is from its recording: the scorecard of the held-out half, and a summary."""
    summary = console_text(partial(_print, list(_summary(name, fit, judgement))))
    return "\n".join([terminal.text(judgement.held_out), "", summary])


def _print(lines: Sequence[str], console: Console) -> None:
    for line in lines:
        print_line(console, line)


def _summary(name: str, fit: Fit, judgement: FitJudgement) -> Iterator[str]:
    held_out, whole, passing_s = judgement
    yield f"{name}: {format_count(fit.events, 'event')} for {format_short_duration(fit.duration_s)}"
    yield f"the held-out half, in intervals of {held_out.interval_s:.3g} s: {describe_verdict(held_out)}"
    if held_out.verdict != PASSED and passing_s is not None:
        yield f"the held-out half, in intervals of {format_short_duration(passing_s)}: {PASSED}"
    yield f"all rows, in intervals of {whole.interval_s:.3g} s: {describe_verdict(whole)}"
    yield from (f"  {line}" for line in failure_lines(whole))


def variants_text(names: Sequence[str], variants: Sequence[Variant], wanted: int) -> str:
    """Return how far each variant is from the recording, and how many are missing."""
    lines = _variants_table(names, variants) if variants else []
    if len(variants) < wanted:
        lines.append(
            f"only {len(variants)} of {wanted} variants: the events in other places are not like the recording; "
            "fit more events (--events, --tolerance)"
        )
    return console_text(partial(_print, lines))


def _variants_table(names: Sequence[str], variants: Sequence[Variant]) -> list[str]:
    limits = (f"≤ {MAX_DISTANCE:g} points", *[f"≤ {MAX_CORRELATION_ERROR:g}"] * 2)
    rows = (
        (name, *(f"{figure:.2g}" for figure in variant.figures)) for name, variant in zip(names, variants, strict=True)
    )
    titles = ("variant", "distribution", "autocorrelation", "correlation between resources")
    return align([titles, ("limit", *limits), *rows], last_left=False)
