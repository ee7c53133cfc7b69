"""Limits of what may be more, as people write them."""

from __future__ import annotations

import pytest

from pytest_twin.model.measure import MEASURES, LimitError, parse_limit, parse_limits


def test_a_limit_is_a_share_or_an_amount():
    assert [str(each) for each in parse_limits(["cpu_seconds>10%, peak_memory > 50MiB", "duration>0.5s"])] == [
        "cpu_seconds>10%",
        "peak_memory>50MiB",
        "duration>0.5s",
    ]
    assert parse_limit("cpu_seconds>10%").bound(2.0) == pytest.approx(2.2)
    assert parse_limit("peak_memory>50MiB").bound(100.0) == pytest.approx(150.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cpu_seconds", "'cpu_seconds' is not a limit such as cpu_seconds>10% or peak_memory>50MiB"),
        (
            "cpu>10%",
            f"'cpu>10%' names the unknown measure cpu; known are {', '.join(MEASURES)}",
        ),
        ("cpu_seconds>9999999%", "'cpu_seconds>9999999%' has 9999999%, which is over 1000000%"),
        ("duration>3", "'duration>3' has no share such as 10%, nor an amount such as 0.5s"),
        ("read>1s", "'read>1s' has no share such as 10%, nor an amount such as 50MiB"),
    ],
)
def test_a_limit_that_cannot_be_read_says_what_is_wrong(text, said):
    with pytest.raises(LimitError) as caught:
        parse_limit(text)
    assert str(caught.value) == said
