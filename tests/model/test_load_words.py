"""The words of a load as text, in the two ways they may be written."""

import pytest

from pytest_twin.model.load_words import split_words, word_value


@pytest.mark.parametrize("text", ["cpu=75% mem=1GiB", "cpu:75% mem:1GiB", " cpu:75%\n mem=1GiB "])
def test_a_value_stands_behind_an_equals_sign_or_a_colon(text):
    assert split_words(text, "load") == {"cpu": "75%", "mem": "1GiB"}


def test_a_value_may_have_both_signs_and_stages_their_commas():
    text = "disk=1MB/s pattern:mixed:70 stop_when=cpu_percent>=95 stages=10s:1MB/s,5s:2MB/s"
    assert split_words(text, "load") == {
        "disk": "1MB/s",
        "pattern": "mixed:70",
        "stop_when": "cpu_percent>=95",
        "stages": "10s:1MB/s,5s:2MB/s",
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is not a load"),
        ("cpu", "is not a load"),
        ("cpu=", "is not a load"),
        ("=1", "is not a load"),
        ("cpu=1 x", "is not a load"),
        ("cpu=1 cpu:2", "has cpu twice"),
        ("cpu=1,mem=1GiB", "has commas between its keywords; write spaces: cpu=1 mem=1GiB"),
        ("cpu:1; mem:1GiB", "has commas between its keywords; write spaces: cpu:1 mem:1GiB"),
    ],
)
def test_a_malformed_text_is_explained(text, problem):
    with pytest.raises(ValueError, match=r"\w") as caught:
        split_words(text, "load")
    assert str(caught.value) == problem


def test_numbers_and_switches_get_their_types():
    assert [*map(word_value, ("8", "true", "False", "75%", "9" * 16))] == [8, True, False, "75%", "9" * 16]
