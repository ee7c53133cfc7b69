"""The address of a Grafana and the token for it; bad input is one line without a secret."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_twin.export.grafana.destination import DestinationError, parse_destination, read_token


def problem(url):
    with pytest.raises(DestinationError) as caught:
        parse_destination(url, "secret")
    return str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://localhost:3000", "http://localhost:3000"),
        ("https://grafana.example.com", "https://grafana.example.com:443"),
        ("https://example.com/grafana/", "https://example.com:443/grafana"),
        ("http://[::1]:3000/", "http://[::1]:3000"),
        ("HTTP://localhost", "http://localhost:80"),
    ],
)
def test_an_address_is_read(url, shown):
    assert parse_destination(url, "secret").url == shown


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("ftp://host", "unknown scheme 'ftp'; write http:// or https://, as in https://grafana.example.com"),
        ("grafana.example.com", "unknown scheme; write http:// or https://, as in https://grafana.example.com"),
        ("localhost:3000", "unknown scheme 'localhost'; write http:// or https://, as in https://grafana.example.com"),
        ("http://", "is not the URL of a server; write one such as https://grafana.example.com"),
        ("http://host:0", "is not the URL of a server; write one such as https://grafana.example.com"),
        ("http://ho st", "is not the URL of a server; write one such as https://grafana.example.com"),
        ("http://höst", "is not the URL of a server; write one such as https://grafana.example.com"),
        ("http://host:port", "is not a URL; write one such as https://grafana.example.com"),
        ("http://host:99999", "is not a URL; write one such as https://grafana.example.com"),
        ("http://[host", "is not a URL; write one such as https://grafana.example.com"),
        (
            "http://host/?orgId=1",
            "has a query or a fragment; write the address of Grafana only, as in https://grafana.example.com",
        ),
    ],
)
def test_a_bad_address_is_told(url, text):
    assert problem(url) == text


@pytest.mark.parametrize(
    "url",
    [
        "https://admin:hunter2@host",
        "ftp://admin:hunter2@host",
        "http://a:hunter2/x@host",
        "//hunter2@host",
        "hunter2@h",
    ],
)
def test_a_password_is_not_printed(url):
    assert problem(url) == "has a user name or a password; remove it, and give a token with --token-file"


@given(st.text() | st.text().map("http://{}".format) | st.text().map("https://host{}".format))
def test_whatever_is_written_is_an_address_or_a_problem(url):
    with suppress(DestinationError):
        found = parse_destination(url, "secret")
        assert "secret" not in repr(found)
        assert parse_destination(found.url, "secret") == found


def test_a_token_is_the_only_line_of_its_file(tmp_path):
    for text in ("glsa_x", "glsa_x\n", "\ufeffglsa_x\r\n"):
        (tmp_path / "token").write_text(text, encoding="utf-8")
        assert read_token(tmp_path / "token") == "glsa_x"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, "{}: No such file or directory"),
        (b"", "{} is empty; write the token of a service account into it"),
        (b" \n", "{} is empty; write the token of a service account into it"),
        (b"a\nb", "{} has no token; write the token of a service account into it, and nothing else"),
        (b"two words", "{} has no token; write the token of a service account into it, and nothing else"),
        (b"\xff\xfe", "{} has no token; write the token of a service account into it, and nothing else"),
        (b"x" * 10_000, "{} has no token; write the token of a service account into it, and nothing else"),
    ],
)
def test_a_file_without_a_token_is_told(tmp_path, content, text):
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DestinationError) as caught:
        read_token(path)
    assert str(caught.value) == text.format(path)
