"""What a message says about a word that nobody knows."""

from __future__ import annotations

import pytest

from pytest_twin.model.error_text import unknown

WORDS = ("cpu", "duration", "tests/db/test_orders.py::test_refund", "tests/db/test_orders.py::test_refund_twice")


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("duratoin", 'did you mean "duration"?'),
        ("dur", 'did you mean "duration"?'),
        ("test_refund", 'did you mean "tests/db/test_orders.py::test_refund"?'),
        ("du", f"known are {', '.join(WORDS)}"),
        ("gravity", f"known are {', '.join(WORDS)}"),
    ],
)
def test_an_unknown_word_is_named_with_the_one_that_was_meant_or_with_all(word, hint):
    assert unknown(word, WORDS) == f'unknown key "{word}"; {hint}'


def test_of_many_known_words_a_message_has_the_first_fifty():
    said = unknown("gravity", {f"test_{number:05}" for number in range(10_000)}, "test")
    assert said.startswith('unknown test "gravity"; known are test_00000, test_00001, ')
    assert said.endswith(", test_00049 and 9950 more")
