"""Posting annotations: once each, never for long, and never with a word of the token."""

from __future__ import annotations

import socket
import time

import pytest
from grafana_server import TOKEN, drip, grafana_server, hang, hang_up, raw_server

from pytest_twin.export.grafana.annotations import Annotation
from pytest_twin.export.grafana.client import BATCH, LIMIT_S, GrafanaError, Posted, post
from pytest_twin.export.grafana.destination import parse_destination

RUN = "run:2026-01-01T12:00:00.000Z"


@pytest.fixture
def grafana():
    with grafana_server() as server:
        yield server


def made(count):
    return [Annotation(1000 * at, 1000 * at + 500, f"cpu={at}", ("pytest-twin", RUN, "load")) for at in range(count)]


def post_to(url, count=3, token=TOKEN):
    return post(made(count), RUN, parse_destination(url, token))


def refusal(url, count=3, token=TOKEN):
    """The message of a post that fails, without the address before it."""
    began = time.monotonic()
    with pytest.raises(GrafanaError) as caught:
        post_to(url, count, token)
    assert time.monotonic() - began < 3 * LIMIT_S
    message = str(caught.value)
    assert TOKEN not in message
    assert "\n" not in message
    assert message.startswith(f"{url}: ")
    return message.removeprefix(f"{url}: ")


def test_each_annotation_is_posted_with_its_borders_and_tags(grafana):
    assert post_to(grafana.url) == Posted(3, 0)
    first = {name: grafana.kept[0][name] for name in ("time", "timeEnd", "text", "tags")}
    assert first == {"time": 0, "timeEnd": 500, "text": "cpu=0", "tags": ["pytest-twin", RUN, "load"]}
    assert [each["text"] for each in grafana.kept] == ["cpu=0", "cpu=1", "cpu=2"]


def test_what_is_there_already_is_not_posted_again(grafana):
    post_to(grafana.url, 2)
    assert post_to(grafana.url, 5) == Posted(3, 2)
    assert post_to(grafana.url, 5) == Posted(0, 5)
    assert len(grafana.kept) == 5


def test_that_of_another_run_is_another_one(grafana):
    post_to(grafana.url)
    for each in grafana.kept:
        each["tags"] = ["pytest-twin", "run:of another day", "load"]
    assert post_to(grafana.url) == Posted(3, 0)


def test_grafana_may_be_below_a_path():
    with grafana_server("/graphs/grafana") as server:
        assert post_to(server.url) == Posted(3, 0)
        assert {path for _, path, _ in server.asked} == {"/graphs/grafana/api/annotations"}


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (401, "HTTP status 401: the token is not accepted; create a service account token"),
        (403, "HTTP status 403: the token has no permission; give its service account the role Editor"),
        (404, "HTTP status 404: there is no annotations API; give the address of Grafana"),
        (302, "HTTP status 302: it redirects to another address; give that one"),
        (500, "HTTP status 500"),
        (503, "HTTP status 503"),
    ],
)
def test_a_refusal_is_one_line_without_what_the_server_says(grafana, status, text):
    grafana.status = status
    assert refusal(grafana.url) == text


def test_a_wrong_token_is_not_printed(grafana):
    assert refusal(grafana.url, token=f"{TOKEN}_of_another") == (
        "HTTP status 401: the token is not accepted; create a service account token"
    )


def test_a_redirect_is_not_followed_with_the_token(grafana):
    with grafana_server() as other:
        grafana.status, grafana.headers = 302, {"Location": f"{other.url}/api/annotations"}
        refusal(grafana.url)
        assert other.asked == []


def test_a_server_that_goes_away_leaves_what_it_took_and_is_told(grafana):
    grafana.status, grafana.posts = 503, 2
    text = refusal(grafana.url, 5)
    assert text == "HTTP status 503; posted 2 of 5 annotations, repeat the command for the others"
    grafana.status = 0
    assert post_to(grafana.url, 5) == Posted(3, 2)


def test_something_else_than_grafana_is_told(grafana):
    grafana.html = True
    assert refusal(grafana.url) == "does not answer as Grafana does; give the address of Grafana"


def test_a_port_without_a_server_is_told():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert refusal(f"http://127.0.0.1:{port}") == "connection refused"


@pytest.mark.parametrize(
    ("serve", "text"),
    [
        (hang, "does not answer; gave up after 2 s"),
        (drip, "does not answer; gave up after 2 s"),
        (hang_up, "closed the connection"),
    ],
)
def test_a_server_that_does_not_answer_is_given_up(serve, text):
    with raw_server(serve) as url:
        assert refusal(url) == text


def test_a_slow_server_is_given_up_after_the_same_time(grafana):
    grafana.slow_s = 0.7
    text = refusal(grafana.url, 100)
    said, _, rest = text.partition("; ")
    assert said == "takes fewer than 10 annotations a second"
    assert rest.endswith(" of 100 annotations, repeat the command for the others")
    taken = len(grafana.kept)
    time.sleep(5 * grafana.slow_s)
    assert len(grafana.kept) <= taken + 1  # nobody goes on with it


def test_a_server_that_takes_some_gets_no_more_time_than_one_that_takes_none(grafana):
    grafana.slow_s = 1.5 * LIMIT_S / BATCH
    refusal(grafana.url, 100)
    assert 0 < len(grafana.kept) < BATCH


def test_a_quick_server_may_take_many(grafana):
    assert post_to(grafana.url, 300) == Posted(300, 0)


def test_a_server_that_speaks_no_tls_is_told(grafana):
    url = grafana.url.replace("http:", "https:")
    assert refusal(url) == "does not speak TLS; is its address http://?"
