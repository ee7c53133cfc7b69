"""Amounts, sizes and durations, as people write them."""

import math

import pytest
from any_values import VALUES, tried
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_twin.model.quantity import (
    format_bytes,
    format_duration,
    format_short_duration,
    parse_amount,
    parse_duration,
    parse_size,
)
from pytest_twin.stressors.spec.kind import BYTES, COUNT, MAX, OPS, RATE, SHARE

NOT_A_DURATION = 'is not a duration; write seconds, or text such as "500ms" or "1m30s"'
YEAR_S = 366 * 86400


def refusal(read, raw):
    with pytest.raises(ValueError, match=r".") as caught:
        read(raw)
    return str(caught.value)


@pytest.mark.parametrize(
    ("raw", "value", "unit"),
    [
        (8, 8, COUNT),
        ("8", 8, COUNT),
        (1.5, 1.5, COUNT),
        (0, 0, COUNT),
        ("75%", 0.75, SHARE),
        ("12.5 %", 0.125, SHARE),
        ("0%", 0, SHARE),
        ("100%", 1, SHARE),
        ("7B", 7, BYTES),
        ("2kB", 2000, BYTES),
        ("2KB", 2000, BYTES),
        ("2KiB", 2048, BYTES),
        ("512MB", 512_000_000, BYTES),
        ("1GiB", 2**30, BYTES),
        (" 1.5 GiB ", 1.5 * 2**30, BYTES),
        ("2TB", 2 * 10**12, BYTES),
        ("1TiB", 2**40, BYTES),
        ("50MB/s", 50_000_000, RATE),
        ("4 KiB/s", 4096, RATE),
        ("200/s", 200, OPS),
        ("max", 0, MAX),
    ],
)
def test_an_amount_is_a_number_and_what_it_counts(raw, value, unit):
    assert parse_amount(raw) == (value, unit)


@pytest.mark.parametrize(
    "raw",
    [
        None,
        True,
        [],
        {},
        math.nan,
        math.inf,
        "",
        "5 %%",
        *["%", "5x", "1e3", "5kiB", "5iB", "5mb", "/s", "5%/s", "5MB/h", "--5", "٣", "0x10", "MAX"],
    ],
)
def test_what_is_no_amount_is_shown_as_it_was_written(raw):
    advice = 'give a number such as 8, or one with a unit such as "1GiB"'
    assert refusal(parse_amount, raw) == f"{raw!r} is not an amount; {advice}"


def test_an_amount_below_0_is_refused():
    assert refusal(parse_amount, "-5MB") == "-5MB is below 0"


def test_a_share_over_100_percent_says_what_to_give():
    assert refusal(parse_amount, "150%") == '"150%" is over 100%; give 0-100%'


@pytest.mark.parametrize(
    ("raw", "seconds"),
    [
        (0, 0),
        (2, 2),
        (0.25, 0.25),
        ("3", 3),
        ("1.5", 1.5),
        ("500ms", 0.5),
        ("2s", 2),
        (" 2 s ", 2),
        ("1m", 60),
        ("1min", 60),
        ("1m30s", 90),
        ("1h 30m", 5400),
        ("1.5h", 5400),
        ("1d", 86400),
        ("366d", YEAR_S),
    ],
)
def test_a_duration_is_a_number_of_seconds_or_parts_with_units(raw, seconds):
    assert parse_duration(raw) == seconds


@pytest.mark.parametrize(
    "raw",
    [None, True, [], {}, "", "s", "5x", "1e3", "5 5s", "s5", "1m30", "1:30", "--5s", "1,5s", "٣s", "12345678901234s"],
)
def test_what_is_no_duration_says_what_to_write(raw):
    assert refusal(parse_duration, raw) == f"{raw!r} {NOT_A_DURATION}"


@pytest.mark.parametrize("raw", [-1, -0.5, "-5", "-5s", "-1m30s"])
def test_a_duration_below_0_is_refused(raw):
    assert refusal(parse_duration, raw) == f"{raw} is below 0"


@pytest.mark.parametrize("raw", [YEAR_S + 1, "367d", "9000h", 1e15, math.inf])
def test_a_duration_of_more_than_a_year_is_refused(raw):
    assert refusal(parse_duration, raw) == f"{raw} is longer than a year"


def test_a_duration_far_below_0_is_below_0():
    assert refusal(parse_duration, -1e15) == "-1000000000000000.0 is below 0"


def test_nan_is_not_a_duration():
    assert refusal(parse_duration, math.nan) == f"nan {NOT_A_DURATION}"


@pytest.mark.parametrize(("raw", "count"), [("256KiB", 262144), ("1MB", 1_000_000), ("1.5kB", 1500)])
def test_a_size_is_bytes(raw, count):
    assert parse_size(raw) == count


@pytest.mark.parametrize("raw", [4096, "10%", "5MB/s", "max", "0B"])
def test_what_is_no_size_says_what_to_write(raw):
    assert refusal(parse_size, raw) == f'{raw!r} is not a size; write one such as "256KiB"'


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0s"), (100, "100s"), (0.5, "0.5s"), (1e-9, "0.000000001s"), (5400, "5400s"), (1 / 3, "0.333333333s")],
)
def test_a_duration_is_said_in_seconds_without_needless_zeros(seconds, said):
    assert format_duration(seconds) == said


@given(st.floats(0, YEAR_S))
@example(262144.0003057365)  # half a nanosecond, and the last bit
@settings(max_examples=100, deadline=None)
def test_a_said_duration_is_read_back_to_the_nanosecond(seconds):
    assert abs(parse_duration(format_duration(seconds)) - seconds) <= 0.5e-9 + math.ulp(seconds)


@given(st.decimals(0, YEAR_S, places=9))
@settings(max_examples=100, deadline=None)
def test_whole_nanoseconds_are_said_without_losing_any(seconds):
    assert parse_duration(format_duration(float(seconds))) == float(seconds)


@pytest.mark.parametrize(
    ("count", "like", "said"),
    [
        (0, "MiB", "0.0B"),
        (1023, "1GiB", "1023.0B"),
        (1536, "1GiB", "1.5KiB"),
        (1.5 * 2**20, "25%", "1.5MiB"),
        (3000 * 2**20, "500", "2.9GiB"),
        (5 * 2**40, "1TiB", "5120.0GiB"),
        (1500, "2kB", "1.5kB"),
        (1_600_000, "512MB", "1.6MB"),
        (1_600_000_000, "2GB", "1.6GB"),
    ],
)
def test_bytes_are_said_in_the_units_that_were_asked(count, like, said):
    assert format_bytes(count, like=like) == said


def test_bytes_just_below_a_unit_are_said_in_that_unit():
    assert format_bytes(1023.99) == "1.0KiB"


@example("-5\n%")
@example("-5s\n")
@example("400d\n")
@given(VALUES)
@settings(max_examples=200, deadline=None)
def test_whatever_is_given_an_amount_a_size_and_a_duration_are_read_or_refused_in_one_line(raw):
    for read in (lambda raw: parse_amount(raw).value, parse_size, parse_duration):
        result, error = tried(ValueError, read, raw)
        assert len(str(error).splitlines()) == 1 if error else 0 <= result < math.inf


@given(st.text(), st.sampled_from([parse_amount, parse_size, parse_duration]))
@settings(max_examples=200, deadline=None)
def test_any_text_is_read_or_refused_with_a_value_error(raw, read):
    try:
        read(raw)
    except ValueError:
        return
    assert any(character.isdigit() for character in raw) or raw == "max"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (5400, "1h30m"), (61.5, "1m1.5s"), (3600, "1h"), (0.25, "0.25s"), (86400, "24h"), (59.9999, "1m")],
)
def test_a_duration_is_written_as_a_person_writes_it_and_read_back(seconds, text):
    assert format_short_duration(seconds) == text
    assert parse_duration(format_short_duration(seconds)) == pytest.approx(seconds, abs=0.001)
