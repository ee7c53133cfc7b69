"""Who does not answer is told of, and given up."""

from __future__ import annotations

from pytest_twin._system.response_timeout import WARN_AFTER_S, ResponseTimeout


def test_silence_is_told_once_and_ends_at_its_limit():
    said: list[str] = []
    silence = ResponseTimeout("the supervisor", lambda: 0, said.append)
    steps = 1
    while silence.lasts(1.0, 30.0):
        steps += 1
        assert len(said) == (steps > WARN_AFTER_S)
    assert steps == 30
    assert said == ["the supervisor has not answered for 5 s; it will be killed after 30 s"]
    assert silence.reason == "did not answer for 30 s"


def test_an_answer_ends_it():
    heard = 0
    silence = ResponseTimeout("the supervisor", lambda: heard, lambda _: None)
    for _ in range(10):
        assert silence.lasts(1.0, 3.0)
        assert silence.lasts(1.0, 3.0)
        heard += 1
        assert silence.lasts(1.0, 3.0)
    assert silence.reason == ""
