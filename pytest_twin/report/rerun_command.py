"""The command that runs a failed test again under the conditions that it failed under."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pytest_twin.loads.registry import load_keyword
from pytest_twin.model import event
from pytest_twin.model.shell_word import shell_word

if TYPE_CHECKING:
    from pytest_twin.analysis.run.attempts import AttemptSummary
    from pytest_twin.analysis.run.spans import RunSpan
    from pytest_twin.model.attempt_failure import AttemptFailure

STRESS, CONSTRAIN = "--twin-stress", "--twin-constrain"


def rerun_command(failure: AttemptFailure, attempt: AttemptSummary, spans: Iterable[RunSpan]) -> str:
    """Return the command; empty where pytest's session is not known.

    The test's marks apply their own loads again. Loads that ran at that time for others, such as those of the session's
    schedule or of a test in another worker, become loads around the test.

    Args:
        failure: The failure as pytest reported it.
        attempt: The attempt.
        spans: The spans on its host.
    """
    if not failure.command:
        return ""
    stress, constrain = (dict(_split(text)) for text in (failure.stress, failure.constrain))
    for span in spans:
        is_foreign = span.is_load and span.test != attempt.nodeid
        if not is_foreign or span.start_s >= attempt.end_s or span.end_s <= attempt.start_s or " " in span.what:
            continue
        if span.type != event.CONSTRAINT:
            stress.setdefault(load_keyword(span.type), span.what)
        elif not failure.constrain:
            constrain.update(_split(span.what))
    options = {STRESS: stress, CONSTRAIN: constrain}
    texts = {name: " ".join(f"{key}={value}" for key, value in amounts.items()) for name, amounts in options.items()}
    return " ".join([failure.command, *(f"{name} {shell_word(text)}" for name, text in texts.items() if text)])


def _split(text: str) -> Iterable[tuple[str, str]]:
    for word in text.split():
        name, _, value = word.partition("=")
        yield name, value
